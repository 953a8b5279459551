"""Turns the parsed parts into Facts: all that was seen of one resource at one moment.

Pure; the argument of diagnose and status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deepseekserve import names
from deepseekserve.facts.durations import Took
from deepseekserve.facts.fit import Fit
from deepseekserve.facts.pods import PodFacts, Trouble


@dataclass(frozen=True)
class Facts:
    """One resource, seen at `now`."""

    now: datetime
    revision: str                          # hash of the current revision; empty while there is none
    pods: tuple[PodFacts, ...]             # by creation, then name
    refusal: Trouble | None = None         # why the Deployment cannot create pods of the current revision
    fit: Fit | None = None                 # None: not computed, since the spec cannot be used
    took: Took | None = None               # an earlier start of the current revision, or of one like it

    @property
    def is_refused(self) -> bool:
        """By computation it cannot work, and no pod is made for it."""
        return self.fit is not None and self.fit.enforced

    @property
    def is_pending(self) -> bool:
        """Nothing is decided yet of the spec: its model is being read."""
        return self.fit is not None and self.fit.pending

    @property
    def alive(self) -> tuple[PodFacts, ...]:
        """Pods that are neither deleted nor finished, of any revision."""
        return tuple(pod for pod in self.pods if pod.alive)

    @property
    def ready(self) -> tuple[PodFacts, ...]:
        """Pods that serve, of any revision."""
        return tuple(pod for pod in self.alive if pod.ready)

    @property
    def current(self) -> tuple[PodFacts, ...]:
        """Living pods of the current revision."""
        return tuple(pod for pod in self.alive if pod.revision == self.revision)

    @property
    def starting(self) -> tuple[PodFacts, ...]:
        """Pods of the current revision that do not serve, be it not yet or not now."""
        return tuple(pod for pod in self.current if pod.starting)

    @property
    def lapsed(self) -> tuple[PodFacts, ...]:
        """Pods whose engine has served and does not answer its probe now, of any revision."""
        return tuple(pod for pod in self.alive if pod.lapsed)


def parse_refusal(deployment: Mapping[str, Any] | None, revision: str) -> Trouble | None:
    """Read why a Deployment cannot create pods; None while it can, or speaks of another revision than this hash."""
    if deployment is None:
        return None
    spec, status = deployment["spec"], deployment.get("status") or {}
    labels = spec["template"]["metadata"].get("labels") or {}
    is_current = labels.get(names.LABEL_REVISION) == revision
    has_seen = status.get("observedGeneration") == deployment["metadata"].get("generation")
    for condition in status.get("conditions") or () if is_current and has_seen else ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            since = condition.get("lastTransitionTime") or ""
            return Trouble(condition.get("reason") or "", condition.get("message") or "", since)
    return None
