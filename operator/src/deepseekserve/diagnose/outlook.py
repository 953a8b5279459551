"""Turns a report of a start, and what an earlier such start took, into how much lies behind and how long it will take.

Pure; part of progress. The earlier start gives the measure, this one corrects it: by its bars, and by how it compares
so far.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from deepseekserve.agent.phases import SPANS
from deepseekserve.agent.reasons import ENGINE_PHASES, Phase
from deepseekserve.facts import AgentReport, Took
from deepseekserve.facts.durations import passed_seconds
from deepseekserve.facts.moments import seconds_since

# Phases in which the agent's percent follows a progress bar of the engine.
_WITH_A_BAR = frozenset({Phase.DOWNLOADING, Phase.LOADING_WEIGHTS, Phase.CAPTURING_GRAPHS})
_SLOWEST, _FASTEST = 4.0, 0.3          # that the rest of a start is taken to be because its beginning was


class Outlook(NamedTuple):
    """Where a start stands, measured by an earlier one."""

    percent: int
    seconds_left: float


def outlook(report: AgentReport, took: Took, now: datetime) -> Outlook | None:
    """Measure a start; None when the earlier one did not go through its present phase, which then is no measure."""
    phase, here_s = report.phase, seconds_since(report.phase_since, now)
    usual_s = took.seconds.get(phase) if phase else None
    if phase is None or usual_s is None or here_s is None:
        return None
    here_s = max(here_s, 0.0)              # the node's clock may be ahead of ours
    place = ENGINE_PHASES.index(phase)
    pace = _pace(report, took, here_s)
    left_s = _left_here(report, phase, usual_s * pace, here_s)
    later_s = _sum(took.seconds, ENGINE_PHASES[place + 1:])
    behind_s = _sum(took.seconds, ENGINE_PHASES[:place]) + (usual_s * here_s / (here_s + left_s) if here_s else 0.0)
    return Outlook(int(100 * behind_s / took.total), left_s + later_s * pace)


def _pace(report: AgentReport, took: Took, here_s: float) -> float:
    """How much slower than the earlier one this start is, by the first phase: that has the same work each time."""
    usual_s, spent_s = took.seconds.get(Phase.STARTING), passed_seconds(report).get(Phase.STARTING)
    if not usual_s:
        return 1.0
    if report.phase is Phase.STARTING:
        spent_s = max(here_s, usual_s)
    return 1.0 if spent_s is None else min(max(spent_s / usual_s, _FASTEST), _SLOWEST)


def _left_here(report: AgentReport, phase: Phase, usual_s: float, here_s: float) -> float:
    low, high = SPANS[phase]
    share = min(max((report.percent - low) / (high - low), 0.0), 1.0)
    if share and phase in _WITH_A_BAR:       # what the bar says weighs as much as it has seen
        return (1 - share) * (here_s + (1 - share) * usual_s)
    return max(usual_s - here_s, 0.0)


def _sum(seconds: Mapping[Phase, float], phases: Sequence[Phase]) -> float:
    return sum(seconds.get(phase, 0.0) for phase in phases)
