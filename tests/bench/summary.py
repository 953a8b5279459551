"""Turns what was seen, and the API server's audit log, into the figures of the operator's benchmark; pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.bench.report import Figures, ratio, spread
from tests.cluster.audit import Record

LOOP, OPERATOR = "loop", "operator"
LEASES = "leases"

Window = tuple[float, float]


class Burst(NamedTuple):
    """What many actions at once have led to."""

    seconds: tuple[float, ...]    # from the begin of each action until its effect was seen
    total_s: float                # from the begin of the first until the last was seen
    began: float                  # wall clock
    ended: float                  # likewise, when the machine had come to rest

    @property
    def window(self) -> tuple[float, float]:
        """Both ends, for the audit log."""
        return self.began, self.ended


@dataclass
class Found:
    """All that was seen; bursts by size, as many as turns were taken."""

    creation: dict[tuple[int, str], list[Burst]] = field(default_factory=dict)      # by size and side
    cpu_s: dict[tuple[int, str], list[float]] = field(default_factory=dict)
    edit: dict[int, list[Burst]] = field(default_factory=dict)
    deletion: dict[int, list[Burst]] = field(default_factory=dict)
    memory: Figures = field(default_factory=dict)
    idle: Figures = field(default_factory=dict)
    idle_window: Window = (0, 0)
    restart: Figures = field(default_factory=dict)
    restart_window: Window = (0, 0)

    def add(self, size: int, side: str, burst: Burst, cpu_s: float) -> None:
        """Take a creation down."""
        self.creation.setdefault((size, side), []).append(burst)
        self.cpu_s.setdefault((size, side), []).append(cpu_s)


def summary(found: Found, records: Sequence[Record], resources: int) -> Figures:
    """The figures; `records` are the requests of the operator and of the loop, who share a credential."""
    at_rest, restarted = _within(records, found.idle_window), _within(records, found.restart_window)
    return {
        "creation": {str(size): _compared(found, size, records) for size in found.edit},
        "edit": {str(size): _changed(bursts) for size, bursts in found.edit.items()},
        "deletion": {str(size): _changed(bursts) for size, bursts in found.deletion.items()},
        "requests": _per_resource(found, records),
        "idle": {
            **found.idle, "resources": resources, "writes": _writes(at_rest),
            "renewals": sum(record.resource == LEASES for record in at_rest),
            "requests": _by_verb(at_rest),
        },
        "restart": {
            **found.restart, "resources": resources, "writes": _writes(restarted), "requests": _by_verb(restarted),
        },
        "memory": found.memory,
    }


def _compared(found: Found, size: int, records: Sequence[Record]) -> Figures:
    """Both sides, and how many times as long the operator takes; totals are means of the turns."""
    sides = {side: _created(found, (size, side), records) for side in (OPERATOR, LOOP)}
    ours, theirs = sides[OPERATOR], sides[LOOP]
    return {**sides, "ratio": {
        "p50": ratio(ours["p50Ms"], theirs["p50Ms"]), "p95": ratio(ours["p95Ms"], theirs["p95Ms"]),
        "p99": ratio(ours["p99Ms"], theirs["p99Ms"]), "total": ratio(ours["totalS"], theirs["totalS"]),
        "written": ratio(ours["writtenS"], theirs["writtenS"]), "cpu": ratio(ours["cpuS"], theirs["cpuS"]),
    }}


def _created(found: Found, which: tuple[int, str], records: Sequence[Record]) -> Figures:
    bursts = found.creation[which]
    written = [_last_write(_within(records, burst.window), burst.began) for burst in bursts]
    return _changed(bursts) | {
        "writtenS": _mean(written), "cpuS": _mean(found.cpu_s[which]),
        "totalsS": [round(burst.total_s, 2) for burst in bursts],
    }


def _changed(bursts: Sequence[Burst]) -> Figures:
    seconds = [s for burst in bursts for s in burst.seconds]
    return spread(seconds) | {"totalS": _mean([burst.total_s for burst in bursts])}


def _per_resource(found: Found, records: Sequence[Record]) -> Figures:
    """Requests of each side for one of the most resources: made, edited, with its Deployment deleted."""
    size = max(found.edit)
    bursts = {
        "loop: create": found.creation[size, LOOP], "operator: create": found.creation[size, OPERATOR],
        "edit": found.edit[size], "delete a Deployment": found.deletion[size],
    }
    return {what: _counted([r for burst in those for r in _within(records, burst.window)], size * len(those))
            for what, those in bursts.items()}


def _counted(records: Iterable[Record], resources: int) -> Figures:
    counts = Counter(f"{record.verb} {record.resource}" for record in records if record.resource != LEASES)
    return {name: round(count / resources, 2) for name, count in sorted(counts.items()) if count * 100 >= resources}


def _by_verb(records: Iterable[Record]) -> Figures:
    return dict(sorted(Counter(record.verb for record in records if record.resource != LEASES).items()))


def _writes(records: Iterable[Record]) -> int:
    return sum(record.mutates and record.resource != LEASES for record in records)


def _last_write(records: Iterable[Record], began: float) -> float:
    return max((r.answered - began for r in records if r.mutates and r.resource != LEASES), default=0.0)


def _within(records: Iterable[Record], window: Window) -> list[Record]:
    return [record for record in records if window[0] <= record.at <= window[1]]


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 2)
