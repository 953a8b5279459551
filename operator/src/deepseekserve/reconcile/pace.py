"""Turns Facts into the time of the next look: each second while an engine starts, never while events tell everything.

Part of reconcile, and pure.
"""

from deepseekserve.apply import Outcome
from deepseekserve.diagnose import GRACE_S
from deepseekserve.facts import Facts, PodFacts
from deepseekserve.facts.moments import seconds_since
from deepseekserve.observe.events import pause_s

STARTING_S = 1.0
WAITING_S = 2.0
SILENT_S = 10.0
TROUBLE_S = 30.0


def next_look(facts: Facts, outcome: Outcome = Outcome()) -> float | None:  # noqa: B008 - frozen
    """Seconds until the next look; None when every change will come as an event."""
    waits = [_of_pod(pod, facts) for pod in facts.current]
    waits += [WAITING_S] if outcome.waiting else []
    waits += [TROUBLE_S] if outcome.trouble else []
    return min((wait for wait in waits if wait is not None), default=None)


def _of_pod(pod: PodFacts, facts: Facts) -> float | None:
    if pod.starting and pod.answers:
        return STARTING_S
    if pod.unscheduled:
        age_s = seconds_since(pod.unscheduled.since, facts.now)
        return max(STARTING_S, GRACE_S - age_s) if age_s is not None and age_s < GRACE_S else None
    if pod.hangs and not (pod.mounting and pod.mounting.done):
        return max(STARTING_S, pause_s(pod, facts.now))
    if not pod.ready:
        return None
    if pod.report is None:
        return SILENT_S
    return None if pod.report.settled else WAITING_S
