"""Turns the starting pods into status.startup: the slowest one's phase and percent, which never go back.

Pure; part of status. A start is one pod up to its container's end; the next start of the same pod counts afresh.
"""

from datetime import datetime

from deepseekserve.agent.reasons import Phase
from deepseekserve.api import Startup, Status
from deepseekserve.diagnose import Progress, progress
from deepseekserve.diagnose.progress import rank
from deepseekserve.facts import Facts, PodFacts
from deepseekserve.facts.moments import moment, rfc3339

STEP_PERCENT = 5


def startup(previous: Status, facts: Facts) -> Startup | None:
    """The slowest start of the current revision; None when none is under way."""
    if not facts.current:
        return _of_no_pod(previous.startup, facts.now)
    starts = [(pod, progress(pod, facts.now)) for pod in facts.starting]
    if not starts:
        return None
    pod, slowest = min(starts, key=lambda start: (rank(start[1].phase), start[1].percent, start[0].name))
    return _of_pod(pod, slowest, previous.startup, facts.now)


def _of_no_pod(last: Startup | None, now: datetime) -> Startup:
    if last and last.phase is Phase.PENDING:
        return last
    return Startup(phase=Phase.PENDING, percent=0, since=rfc3339(now))


def _of_pod(pod: PodFacts, seen: Progress, last: Startup | None, now: datetime) -> Startup:
    before = last if last and _is_same_start(last, pod) else Startup()
    phase, since = _forward(seen, before)
    percent = max(seen.percent // STEP_PERCENT * STEP_PERCENT, before.percent or 0)
    expected = rfc3339(seen.ready_at) if seen.ready_at else None
    known = before.expected_ready_time if before.percent == percent else None
    return Startup(
        phase=phase,
        percent=percent,
        since=since or (before.since if before.phase is phase else None) or rfc3339(now),
        expected_ready_time=known or expected,
        pod=pod.name,
    )


def _forward(seen: Progress, before: Startup) -> tuple[Phase, str | None]:
    """The phase and its beginning. Serving is for the pod's Ready condition to say: until then the last one lasts."""
    if before.phase and (seen.phase is Phase.SERVING or rank(seen.phase) < rank(before.phase)):
        return before.phase, before.since
    return (Phase.STARTING, None) if seen.phase is Phase.SERVING else (seen.phase, seen.since)


def _is_same_start(last: Startup, pod: PodFacts) -> bool:
    if last.pod != pod.name:
        return False
    ended, since = moment(pod.ended.at) if pod.ended else None, moment(last.since or "")
    return ended is None or (since is not None and since >= ended)
