"""Turns a key into Facts: its pods from the cache, and what the agents in them answer.

I/O; the second step of reconcile. A question that is not answered is a fact too, never an exception.
"""

from datetime import datetime

from deepseekserve.facts import Facts, parse_pod, parse_refusal
from deepseekserve.facts.moments import seconds_since
from deepseekserve.kube import Key, Object
from deepseekserve.kube.kinds import DEPLOYMENTS, PODS
from deepseekserve.observe.agents import Agents
from deepseekserve.observe.cache import Cache
from deepseekserve.observe.watch import Watch

__all__ = ["Agents", "Cache", "Watch", "observe"]


CLOCKS_DIFFER_S = 2.0        # those of two API servers, and times are whole seconds


async def observe(cache: Cache, agents: Agents, key: Key, revision: str, now: datetime) -> Facts:
    """What there is to know of a resource whose current revision has the hash `revision`."""
    serve = cache.serve(key)
    pods = [parse_pod(raw) for raw in cache.children(PODS, key) if not (serve and _is_of_predecessor(raw, serve))]
    return Facts(
        now=now,
        revision=revision,
        pods=await agents.ask(key, sorted(pods, key=lambda pod: (pod.created, pod.name))),
        refusal=parse_refusal(cache.child(DEPLOYMENTS, key, key.name), revision),
    )


def _is_of_predecessor(pod: Object, serve: Object) -> bool:
    """Pods of a deleted resource of the same name may outlive it for a moment."""
    made = datetime.fromisoformat(serve["metadata"]["creationTimestamp"])
    age_s = seconds_since(pod["metadata"]["creationTimestamp"], made)
    return age_s is not None and age_s > CLOCKS_DIFFER_S
