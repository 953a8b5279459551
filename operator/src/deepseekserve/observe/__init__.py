"""Turns a key into Facts: its pods from the cache, and what the agents in them answer.

I/O; the second step of reconcile. A question that is not answered is a fact too, never an exception.
"""

from datetime import datetime

from deepseekserve.facts import Facts, parse_pod, parse_refusal
from deepseekserve.kube import Key
from deepseekserve.kube.kinds import DEPLOYMENTS, PODS
from deepseekserve.observe.agents import Agents
from deepseekserve.observe.cache import Cache
from deepseekserve.observe.watch import Watch

__all__ = ["Agents", "Cache", "Watch", "observe"]


async def observe(cache: Cache, agents: Agents, key: Key, revision: str, now: datetime) -> Facts:
    """What there is to know of a resource whose current revision has the hash `revision`."""
    since = ((cache.serve(key) or {}).get("metadata") or {}).get("creationTimestamp", "")
    # Pods of a deleted resource of the same name may outlive it for a moment.
    pods = [parse_pod(raw) for raw in cache.children(PODS, key) if raw["metadata"]["creationTimestamp"] >= since]
    return Facts(
        now=now,
        revision=revision,
        pods=await agents.ask(key, sorted(pods, key=lambda pod: (pod.created, pod.name))),
        refusal=parse_refusal(cache.child(DEPLOYMENTS, key, key.name), revision),
    )
