"""Turns one starting pod into its Progress: phase, percent, since when, and when it will be ready.

Pure; beside the checks of diagnose. Kubernetes tells the phases until the container runs, the agent those after; how
long they take is told by an earlier start where one is known, else by the agent from its log alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from deepseekserve.agent.reasons import ENGINE_PHASES, Phase
from deepseekserve.diagnose.outlook import outlook
from deepseekserve.facts import AgentReport, PodFacts, Took

RANKED: tuple[Phase, ...] = (Phase.PENDING, Phase.SCHEDULING, Phase.PULLING, *ENGINE_PHASES)
# Serving begins with the pod's Ready condition, not with the agent's word for it.
_BEFORE_READY_PERCENT = 95


@dataclass(frozen=True)
class Progress:
    """How far one start has come."""

    phase: Phase
    percent: int
    since: str                        # RFC 3339; empty: now
    ready_at: datetime | None = None


def rank(phase: Phase) -> int:
    """Place of a phase in a start; -1 for those that stand beside it."""
    return RANKED.index(phase) if phase in RANKED else -1


def progress(pod: PodFacts, now: datetime, *, took: Took | None = None) -> Progress:
    """Say where the pod's present start stands."""
    if not pod.scheduled:
        return Progress(Phase.SCHEDULING, 0, pod.created)
    if pod.running and pod.report and pod.report.phase:
        return _told(pod.report, pod.report.phase, now, took=took)
    if pod.running or pod.ended:
        return Progress(Phase.STARTING, 0, pod.ended.at if pod.ended else "")
    return Progress(Phase.PULLING, 0, "")


def _told(report: AgentReport, phase: Phase, now: datetime, *, took: Took | None) -> Progress:
    measured = outlook(report, took, now) if took else None
    percent, left_s = measured or (report.percent, report.expected_seconds)
    ready_at = None if report.failure or left_s is None else now + timedelta(seconds=left_s)
    return Progress(phase, min(percent, _BEFORE_READY_PERCENT), report.phase_since, ready_at)
