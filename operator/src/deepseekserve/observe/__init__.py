"""Turns a key into Facts: its pods from the cache, what the agents in them answer, and what Events say of the others.

I/O; the second step of reconcile. A question that is not answered is a fact too, never an exception.
"""

from dataclasses import dataclass
from datetime import datetime

from deepseekserve.facts import Facts, parse_pod, parse_refusal
from deepseekserve.facts.moments import seconds_since
from deepseekserve.kube import Key, Object
from deepseekserve.kube.kinds import DEPLOYMENTS, PODS
from deepseekserve.observe.agents import Agents
from deepseekserve.observe.cache import Cache
from deepseekserve.observe.events import PodEvents
from deepseekserve.observe.watch import Watch

__all__ = ["Agents", "Cache", "Observer", "PodEvents", "Watch"]

CLOCKS_DIFFER_S = 2.0        # those of two API servers, and times are whole seconds


@dataclass(frozen=True)
class Observer:
    """All that tells of a resource."""

    cache: Cache
    agents: Agents
    events: PodEvents

    async def look(self, key: Key, revision: str, now: datetime) -> Facts:
        """What there is to know of a resource whose current revision has the hash `revision`."""
        serve = self.cache.serve(key)
        raw = [pod for pod in self.cache.children(PODS, key) if not (serve and _is_of_predecessor(pod, serve))]
        pods = await self.agents.ask(key, sorted(map(parse_pod, raw), key=lambda pod: (pod.created, pod.name)))
        return Facts(
            now=now,
            revision=revision,
            pods=await self.events.ask(key, pods, revision=revision, now=now),
            refusal=parse_refusal(self.cache.child(DEPLOYMENTS, key, key.name), revision),
        )

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource that is gone, but for the cache, which is told by the watch."""
        self.agents.forget(key)
        self.events.forget(key)


def _is_of_predecessor(pod: Object, serve: Object) -> bool:
    """Pods of a deleted resource of the same name may outlive it for a moment."""
    made = datetime.fromisoformat(serve["metadata"]["creationTimestamp"])
    age_s = seconds_since(pod["metadata"]["creationTimestamp"], made)
    return age_s is not None and age_s > CLOCKS_DIFFER_S
