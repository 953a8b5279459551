"""Turns the starting pods into status.startup: the slowest one's phase and percent, which never go back.

Pure; part of status. A start is one pod up to its container's end; the next start of the same pod counts afresh.
"""

from collections.abc import Iterator
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
    starts = [(pod, progress(pod, facts.now, took=facts.took)) for pod in _heard(starting, last)]
    if not starts:
        return None
    pod, slowest = min(starts, key=lambda start: (rank(start[1].phase), start[1].percent, start[0].name))
    return _of_pod(pod, slowest, last, facts.now)


def passing(previous: Status, following: Status, facts: Facts) -> Iterator[Status]:
    """What is to be shown between two statuses: one for each phase that the start has passed since the last look."""
    last, pod = previous.startup, _shown(previous, facts)
    if not (last and last.phase and pod and pod.report and previous.current_revision == following.current_revision):
        return
    if not (following.startup or following.phase is Phase.SERVING) or not _goes_on(last, pod):
        return
    end = rank((following.startup and following.startup.phase) or Phase.SERVING)
    shown, phase = last, last.phase
    for passed, since in pod.report.phases:
        if rank(phase) < rank(passed) < end:
            phase, shown = passed, shown.model_copy(update={"phase": passed, "since": since or shown.since})
            overall = passed if previous.phase is last.phase else previous.phase       # an older revision may serve
            yield previous.model_copy(update={"phase": overall, "startup": shown})


def _shown(status: Status, facts: Facts) -> PodFacts | None:
    return next((pod for pod in facts.current if status.startup and pod.name == status.startup.pod), None)


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
    """The phase and its beginning. Serving is for the pod's Ready condition to say: until then the last one lasts."""
    if before.phase and (seen.phase is Phase.SERVING or rank(seen.phase) < rank(before.phase)):
        return before.phase, before.since
    return (Phase.STARTING, None) if seen.phase is Phase.SERVING else (seen.phase, seen.since)


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
