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
from deepseekserve.status.subject import Subject

STEP_PERCENT = 5


def startup(subject: Subject, previous: Status, facts: Facts) -> Startup | None:
    """The slowest start of the current revision; None when none is under way."""
    last = previous.startup if previous.current_revision == (subject.revision or None) else None
    if not facts.current:
        return _of_no_pod(last, facts.now)
    starting = tuple(pod for pod in facts.starting if not pod.lapsed)          # a server that lapses starts nothing
    starts = [(pod, progress(pod, facts.now)) for pod in _heard(starting, last)]
    if not starts:
        return None
    pod, slowest = min(starts, key=lambda start: (rank(start[1].phase), start[1].percent, start[0].name))
    return _of_pod(pod, slowest, last, facts.now)


def lags(subject: Subject, shown: Status, facts: Facts) -> bool:
    """Tell whether the same facts have another phase to show, once this status was seen."""
    later = startup(subject, shown, facts) if shown.startup else None
    return later is not None and shown.startup is not None and later.phase is not shown.startup.phase


def _heard(pods: tuple[PodFacts, ...], last: Startup | None) -> tuple[PodFacts, ...]:
    """The pods whose stand is known, now or from last time: silence must not make another one the slowest."""
    heard = tuple(pod for pod in pods if not _is_silent(pod) or (last and last.pod == pod.name))
    return heard or pods


def _is_silent(pod: PodFacts) -> bool:
    return pod.running and not (pod.report and pod.report.phase)


def _of_no_pod(last: Startup | None, now: datetime) -> Startup:
    if last and last.phase is Phase.PENDING:
        return last
    return Startup(phase=Phase.PENDING, percent=0, since=rfc3339(now))


def _of_pod(pod: PodFacts, seen: Progress, last: Startup | None, now: datetime) -> Startup:
    before = last if last and _goes_on(last, pod) else Startup()
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
    """The next phase and its beginning: those that passed between two looks are shown too, one with each status.

    Serving is for the pod's Ready condition to say: until then the last one lasts.
    """
    if before.phase is None:
        return (Phase.STARTING, None) if seen.phase is Phase.SERVING else (seen.phase, seen.since)
    reached = (*seen.passed, (seen.phase, seen.since))
    ahead = (now for now in reached if rank(now[0]) > rank(before.phase) and now[0] is not Phase.SERVING)
    return next(ahead, (before.phase, before.since))


def _goes_on(last: Startup, pod: PodFacts) -> bool:
    """Tell whether the status must not fall behind what it showed last: the pod's present start was under way then.

    Another pod than the one shown was ahead of it, or had not answered yet. One whose container does not run would have
    been the slowest, so its start is new.
    """
    is_shown = last.pod == pod.name
    if not (is_shown or pod.running):
        return False
    since, began = moment(last.since or ""), moment(pod.ended.at if pod.ended else pod.created)
    return (is_shown and pod.ended is None) or began is None or (since is not None and since >= began)
