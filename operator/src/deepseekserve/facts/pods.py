"""Turns a raw pod into PodFacts: where its start stands as Kubernetes sees it, and how its engine ended before.

Pure; one of the parsers of facts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deepseekserve import names
from deepseekserve.facts.asks import Asks, parse_asks
from deepseekserve.facts.reports import AgentReport, parse_message

Raw = Mapping[str, Any]

_BEING_MADE = frozenset({"ContainerCreating", "PodInitializing"})


@dataclass(frozen=True)
class Trouble:
    """Why something in the pod is as it is, in Kubernetes' words."""

    reason: str
    message: str
    since: str = ""               # RFC 3339, where Kubernetes says it


@dataclass(frozen=True)
class Ended:
    """How the engine's container ended, most lately."""

    code: int
    reason: str                   # Error, Completed, OOMKilled, StartError, ...
    message: str                  # the agent's report, or the end of the log
    at: str                       # RFC 3339
    report: AgentReport | None


@dataclass(frozen=True)
class Mounting:
    """How far the volumes of a pod are."""

    done: bool                    # all are mounted, and what comes next has begun
    trouble: Trouble | None       # what stands in the way


@dataclass(frozen=True)
class Neighbour:
    """A container beside the engine's, or one that runs before it: spec.podTemplate can add some."""

    name: str
    waiting: Trouble | None
    ended: Ended | None


@dataclass(frozen=True)
class PodFacts:
    """One pod of a resource."""

    name: str
    uid: str
    revision: str                 # hash
    created: str                  # RFC 3339
    ip: str
    deleting: bool
    ready: bool
    lapsed: bool                  # not ready now, but it was in this run of the container
    over: Trouble | None          # the pod itself is finished: evicted, its node shut down, ...
    disrupted: Trouble | None     # who has ended it or is ending it, where that was neither we nor it itself
    scheduled: bool
    unscheduled: Trouble | None   # what the scheduler says
    running: bool                 # the engine's container is
    waiting: Trouble | None       # why it is not
    restarts: int
    ended: Ended | None
    asks: Asks
    report: AgentReport | None = None
    neighbours: tuple[Neighbour, ...] = ()
    mounting: Mounting | None = None          # None: its Events have not been read

    @property
    def hangs(self) -> bool:
        """Has a node, and no container has been made yet: why, only Events tell."""
        waits = (self.waiting, *(other.waiting for other in self.neighbours))
        return self.starting and self.scheduled and all(why and why.reason in _BEING_MADE for why in waits)

    @property
    def unmounted(self) -> Trouble | None:
        """What keeps its volumes from being mounted, as far as its Events say."""
        return self.mounting.trouble if self.hangs and self.mounting else None

    @property
    def waits(self) -> tuple[tuple[str, Trouble], ...]:
        """Containers that do not run, and why: the engine's first."""
        others = ((other.name, other.waiting) for other in self.neighbours)
        return tuple((name, why) for name, why in ((names.ENGINE_CONTAINER, self.waiting), *others) if why)

    @property
    def alive(self) -> bool:
        """Neither deleted nor finished."""
        return not self.deleting and self.over is None

    @property
    def starting(self) -> bool:
        """Alive and not yet ready."""
        return self.alive and not self.ready

    @property
    def answers(self) -> bool:
        """Has an agent that can be asked."""
        return self.alive and self.running and bool(self.ip)


def parse_pod(raw: Raw) -> PodFacts:
    """Read a pod as the API server returns it."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    conditions = {c.get("type"): c for c in status.get("conditions") or ()}
    container = _engine(status)
    state = container.get("state") or {}
    return PodFacts(
        name=metadata["name"],
        uid=metadata["uid"],
        revision=(metadata.get("labels") or {}).get(names.LABEL_REVISION, ""),
        created=metadata["creationTimestamp"],
        ip=status.get("podIP") or "",
        deleting="deletionTimestamp" in metadata,
        ready=_is_true(conditions.get("Ready")),
        lapsed=_has_lapsed(conditions.get("Ready") or {}, state),
        over=_over(status),
        disrupted=_disrupted(conditions.get("DisruptionTarget") or {}),
        scheduled=_is_true(conditions.get("PodScheduled")),
        unscheduled=_unscheduled(conditions.get("PodScheduled") or {}),
        running="running" in state,
        waiting=_trouble(state.get("waiting")),
        restarts=container.get("restartCount") or 0,
        ended=_end_of(container),
        neighbours=tuple(_neighbours(status)),
        asks=parse_asks(raw.get("spec") or {}),
    )


def _neighbours(status: Raw) -> Iterator[Neighbour]:
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if container.get("name") != names.ENGINE_CONTAINER:
            waiting = _trouble((container.get("state") or {}).get("waiting"))
            yield Neighbour(str(container.get("name")), waiting, _end_of(container))


def _end_of(container: Raw) -> Ended | None:
    state, last = container.get("state") or {}, container.get("lastState") or {}
    return _ended(state.get("terminated") or last.get("terminated"))


def _engine(status: Raw) -> Raw:
    found = (c for c in status.get("containerStatuses") or () if c.get("name") == names.ENGINE_CONTAINER)
    return next(found, {})


def _is_true(condition: Raw | None) -> bool:
    return (condition or {}).get("status") == "True"


def _has_lapsed(ready: Raw, state: Raw) -> bool:
    """A container that was not ready yet lost no readiness since it began."""
    began = (state.get("running") or {}).get("startedAt") or ""
    return bool(began) and ready.get("status") == "False" and (ready.get("lastTransitionTime") or "") > began


def _over(status: Raw) -> Trouble | None:
    if status.get("phase") not in ("Failed", "Succeeded"):
        return None
    return Trouble(status.get("reason") or status["phase"], status.get("message") or "", _last_moment(status))


def _last_moment(status: Raw) -> str:
    return max((c.get("lastTransitionTime") or "" for c in status.get("conditions") or ()), default="")


def _unscheduled(condition: Raw) -> Trouble | None:
    return _told(condition) if condition.get("status") == "False" else None


def _disrupted(condition: Raw) -> Trouble | None:
    return _told(condition) if _is_true(condition) else None


def _told(condition: Raw) -> Trouble:
    since = condition.get("lastTransitionTime") or ""
    return Trouble(condition.get("reason") or "", condition.get("message") or "", since)


def _trouble(waiting: Raw | None) -> Trouble | None:
    return Trouble(waiting.get("reason") or "", waiting.get("message") or "") if waiting else None


def _ended(terminated: Raw | None) -> Ended | None:
    if not terminated:
        return None
    message = terminated.get("message") or ""
    return Ended(
        code=terminated.get("exitCode") or 0,
        reason=terminated.get("reason") or "",
        message=message,
        at=terminated.get("finishedAt") or "",
        report=parse_message(message),
    )
