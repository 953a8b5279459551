"""Turns what the agent knows into the report: the JSON of /status, and the termination message that outlives its pod.

The operator's `facts` reads both; the form is fixed by `SCHEMA`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from deepseekserve.agent.diagnosis import Failure
from deepseekserve.agent.reasons import Phase

SCHEMA = 1
TERMINATION_BYTES = 4096        # the kubelet keeps no more
_EXCERPT_CHARS = 6000
_SENTENCE_CHARS = 240


@dataclass(frozen=True)
class Standing:
    """One moment of an engine's life; times are seconds since the epoch."""

    phase: Phase
    percent: int
    phase_since: float
    started_at: float
    phases: Sequence[tuple[Phase, float]] = ()      # all so far, each with its beginning
    ready: bool = False
    expected_seconds: float | None = None
    engine: Mapping[str, object] = field(default_factory=dict)
    failure: Failure | None = None
    failed_at: float | None = None
    exit_code: int | None = None
    degraded: str | None = None
    settled: bool = False           # `degraded` is known: what a ready engine's report says of it stays so


def report(standing: Standing) -> dict[str, object]:
    """Return the report of one moment as plain data, ready for JSON."""
    expected = standing.expected_seconds
    return {
        "schema": SCHEMA,
        "phase": standing.phase.value,
        "percent": standing.percent,
        "phaseSince": rfc3339(standing.phase_since),
        "phases": [{"phase": phase.value, "since": rfc3339(since)} for phase, since in standing.phases],
        "startedAt": rfc3339(standing.started_at),
        "expectedSeconds": None if expected is None else round(expected),
        "ready": standing.ready,
        "engine": dict(standing.engine),
        "failure": None if standing.failure is None else _failure(standing.failure, standing),
        "exitCode": standing.exit_code,
        "degraded": standing.degraded,
        "settled": standing.settled,
    }


def termination_message(report: Mapping[str, object]) -> bytes:
    """Return the report as one JSON object of at most 4,096 bytes; the excerpt is cut first, then notes, then fixes."""
    data: dict[str, Any] = json.loads(json.dumps(report))
    data.pop("phases", None)        # for those who watch a start; this one has ended
    failure: dict[str, Any] = data.get("failure") or {}
    _cut(data, failure, "logExcerpt", 0)
    for holder, key in ((data.get("engine") or {}, "notes"), (failure, "fixes"), (data, "engine")):
        if len(_encode(data)) > TERMINATION_BYTES and key in holder:
            holder[key] = type(holder[key])()
    for holder, key in ((data, "degraded"), (failure, "remedy"), (failure, "message")):
        _cut(data, holder, key, _SENTENCE_CHARS)
    return _encode(data)


def _cut(data: Mapping[str, object], holder: dict[str, Any], key: str, least: int) -> None:
    """Shorten one text of `data` by as little as lets the whole fit, to no fewer than `least` characters."""
    text = holder.get(key)
    if not text or len(_encode(data)) <= TERMINATION_BYTES:
        return
    low, high = min(least, len(text)), len(text)
    while low < high:
        middle = (low + high + 1) // 2
        holder[key] = text[:middle]
        low, high = (middle, high) if len(_encode(data)) <= TERMINATION_BYTES else (low, middle - 1)
    holder[key] = text[:low]


def rfc3339(seconds: float) -> str:
    """Time in UTC as Kubernetes writes it, whole seconds."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _failure(failure: Failure, standing: Standing) -> dict[str, object]:
    return {
        "reason": failure.reason.value,
        "message": failure.message,
        "remedy": failure.remedy,
        "fixes": [fix.to_json() for fix in failure.fixes],
        "at": rfc3339(standing.failed_at or standing.phase_since),
        "logExcerpt": "\n".join(failure.lines)[:_EXCERPT_CHARS],
    }


def _encode(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
