"""Turns an agent's report, from GET /status or from a termination message, into an AgentReport.

Pure; one of the parsers of facts. Reports of older and newer agents are read too: a pod keeps the agent that its
revision was made with, so what is unknown is left out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.facts.findings import Finding, Fix
from deepseekserve.facts.moments import moment

SCHEMA = 1

E = TypeVar("E", bound=Enum)


@dataclass(frozen=True)
class AgentReport:
    """What the agent in one engine pod says about the present start of its engine."""

    phase: Phase | None
    percent: int
    phase_since: str                          # RFC 3339, or empty
    phases: tuple[tuple[Phase, str], ...]     # all so far, each with its beginning; older agents do not say
    expected_seconds: float | None            # from now until ready
    ready: bool
    engine: Mapping[str, Any]
    failure: Finding | None
    degraded: str                             # why a serving engine is not all that was asked for
    settled: bool                             # it stays so while the engine serves; older agents do not say: true


def parse_message(text: str) -> AgentReport | None:
    """Read a termination message; None when it is not a report but, the agent having been killed, the end of a log."""
    try:
        return parse_report(json.loads(text))
    except (RecursionError, ValueError):
        return None


def parse_report(raw: object) -> AgentReport | None:
    """Read a report; None when it is none."""
    if not isinstance(raw, Mapping) or raw.get("schema") != SCHEMA:
        return None
    engine, expected = raw.get("engine"), raw.get("expectedSeconds")
    return AgentReport(
        phase=_member(Phase, raw.get("phase")),
        percent=_percent(raw.get("percent")),
        phase_since=_time(raw.get("phaseSince")),
        phases=_phases(raw.get("phases")),
        expected_seconds=float(expected) if isinstance(expected, int | float) else None,
        ready=raw.get("ready") is True,
        engine=engine if isinstance(engine, Mapping) else {},
        failure=_failure(raw.get("failure")),
        degraded=_text(raw.get("degraded")),
        settled=raw.get("settled") is not False,
    )


def _phases(raw: object) -> tuple[tuple[Phase, str], ...]:
    passed = [entry for entry in (raw if isinstance(raw, list) else ()) if isinstance(entry, Mapping)]
    known = [(_member(Phase, entry.get("phase")), _time(entry.get("since"))) for entry in passed]
    return tuple((phase, since) for phase, since in known if phase)


def _failure(raw: object) -> Finding | None:
    if not isinstance(raw, Mapping):
        return None
    fixes = raw.get("fixes")
    return Finding(
        reason=_member(Reason, raw.get("reason")) or Reason.UNKNOWN,
        message=_text(raw.get("message")),
        remedy=_text(raw.get("remedy")),
        fixes=tuple(_fix(fix) for fix in (fixes if isinstance(fixes, list) else ()) if isinstance(fix, Mapping)),
        at=_time(raw.get("at")),
        log_excerpt=_text(raw.get("logExcerpt")),
    )


def _fix(raw: Mapping[str, Any]) -> Fix:
    return Fix(*(_text(raw.get(key)) for key in ("field", "value", "why", "insteadOf")))


def _member(enum: type[E], value: object) -> E | None:
    return next((member for member in enum if member.value == value), None)


def _percent(value: object) -> int:
    return min(100, max(0, value)) if isinstance(value, int) else 0


def _time(value: object) -> str:
    text = _text(value)
    return text if moment(text) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
