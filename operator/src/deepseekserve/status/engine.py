"""Turns the reports of serving pods into status.engine and the note why a serving engine is degraded.

Pure; part of status. The current revision's word comes first; what was reported stays while nobody says otherwise.
"""

from collections.abc import Mapping
from typing import Any

from deepseekserve.agent.enginefacts import is_costly
from deepseekserve.agent.reasons import Reason
from deepseekserve.api import EngineStatus, Status
from deepseekserve.engine import PLAIN
from deepseekserve.facts import AgentReport, Facts
from deepseekserve.status.subject import Subject

# In which ways an engine that serves can be less than what was asked for.
NO_CHAT = Reason.TOKENIZER_ERROR.value
LESS = "LessThanAskedFor"


def engine_facts(subject: Subject, previous: Status, facts: Facts) -> EngineStatus | None:
    """What a serving engine reported of itself."""
    for report in _reports(facts):
        if report.engine:
            return _typed(report.engine)
    is_same = previous.current_revision == subject.revision
    return previous.engine if is_same or facts.ready else None


def degradation(previous: Status, facts: Facts) -> tuple[str, str] | None:
    """Why a serving engine is not all that was asked for: reason and message. Without a report, what was said last."""
    reports = _reports(facts)
    if not reports:
        said = ((c.reason, c.message) for c in previous.conditions if c.type == "Degraded")
        return next((last for last in said if facts.ready and last[0] in (NO_CHAT, LESS)), None)
    for report in reports:
        if report.degraded:
            return NO_CHAT, report.degraded
    costs = (note for report in reports for note in _notes(report) if is_costly(note))
    return next(((LESS, note) for note in costs), None)


def _notes(report: AgentReport) -> list[str]:
    notes = report.engine.get("notes")
    return [str(note) for note in notes] if isinstance(notes, list) else []


def _typed(said: Mapping[str, Any]) -> EngineStatus:
    """In the API's form: a plain checkpoint is a fact too, told apart from one of which nothing is known."""
    is_plain = "quantization" in said and said["quantization"] is None
    return EngineStatus.model_validate({**said, "quantization": PLAIN} if is_plain else dict(said))


def _reports(facts: Facts) -> list[AgentReport]:
    ready = sorted(facts.ready, key=lambda pod: pod.revision != facts.revision)
    return [pod.report for pod in ready if pod.report]
