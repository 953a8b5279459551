"""Turns a finding, and the failure last written, into the failure of the current revision, and says when to give up.

Pure; part of status. A failure belongs to a revision: a new one begins with none, and on the same one an engine's
failure stays until that revision serves, so that a crash loop does not blink.
"""

from deepseekserve import names
from deepseekserve.agent.reasons import PERMANENT, Reason
from deepseekserve.api import Failure, Fix, Status
from deepseekserve.diagnose.images import BACK_OFF
from deepseekserve.facts import Facts, Finding, PodFacts
from deepseekserve.facts.moments import rfc3339
from deepseekserve.status.subject import Subject

RESTARTS_BEFORE_HALT = 3
HANDBOOK = "docs/diagnosis.md"           # in the project; its headings are the reasons
SCALED_TO_ZERO = "ScaledToZero"          # reason of Reconciling=False: how a halt is remembered
_HALT_NOTE = " It was scaled to zero after 3 restarts; any edit of the spec starts it again."
_LONGEST_MESSAGE = 4096                  # of status.failure.message

# Of the spec and the cluster, not of a start: looked for at every reconcile, and gone when it is not found.
_OF_THE_SPEC = frozenset({Reason.INVALID_SPEC, Reason.NAME_CONFLICT})
_BEFORE_THE_START = frozenset({
    Reason.IMAGE_PULL_FAILED, Reason.UNSCHEDULABLE, Reason.QUOTA_EXCEEDED, Reason.VOLUME_MOUNT_FAILED,
    Reason.CONTAINER_CONFIG_ERROR, Reason.ADMISSION_REFUSED,
})


def failing(
    subject: Subject, previous: Status, facts: Facts, finding: Finding | None,
) -> tuple[Failure | None, bool]:
    """The failure to show, and whether it is one after which nothing shall run until the spec is edited."""
    failure = _failure(subject, previous, facts, finding)
    if failure is None or _is_of_the_spec(failure.reason, facts):
        return failure, False
    is_lost = needs_edit(subject, previous, facts, failure) and _is_hopeless(subject, previous, facts)
    if not is_halted(previous, subject) and not is_lost:
        return failure, False
    message = failure.message.removesuffix(_HALT_NOTE)[:_LONGEST_MESSAGE - len(_HALT_NOTE)] + _HALT_NOTE
    return failure.model_copy(update={"message": message}), True


def needs_edit(subject: Subject, previous: Status, facts: Facts, failure: Failure | None) -> bool:
    """Tell whether only an edit can help: never a revision that has served, unless the spec itself is wrong.

    What it failed of has worked before with the same template, so it may work again when the kubelet has restarted it.
    """
    if failure is None or failure.reason not in PERMANENT:
        return False
    has_served = subject.revision == previous.last_good_revision or any(pod.ready for pod in facts.current)
    return _is_of_the_spec(failure.reason, facts) or not has_served


def _is_of_the_spec(reason: Reason, facts: Facts) -> bool:
    return facts.is_refused or reason in _OF_THE_SPEC


def is_answer(previous: Status, generation: int | None, message: str) -> bool:
    """Tell whether a failure is the answer to an edit: news, as it is told otherwise than the one before it."""
    is_edited = previous.observed_generation != generation
    return is_edited and previous.failure is not None and previous.failure.message != message


def is_halted(previous: Status, subject: Subject) -> bool:
    """Tell whether we gave up on this very generation of the spec: the last status says so, and nobody else can."""
    if previous.observed_generation != subject.generation or previous.current_revision != subject.revision:
        return False
    return any(c.type == "Reconciling" and c.reason == SCALED_TO_ZERO for c in previous.conditions)


def serves_fully(subject: Subject, facts: Facts) -> bool:
    """Tell whether the current revision serves with all the pods that are asked for."""
    ready = sum(pod.ready for pod in facts.current)
    return ready >= subject.replicas > 0


def _failure(subject: Subject, previous: Status, facts: Facts, finding: Finding | None) -> Failure | None:
    if is_halted(previous, subject):            # whatever else is found is no news until an edit ends the halt
        return None if serves_fully(subject, facts) else previous.failure
    if facts.is_pending:                        # what failed is another spec's
        return None
    if finding and _is_of_the_spec(finding.reason, facts):
        return _written(subject, finding, previous, facts)
    if subject.suspended or serves_fully(subject, facts):
        return None
    return _written(subject, finding, previous, facts) if finding else _carried(subject, previous)


def _carried(subject: Subject, previous: Status) -> Failure | None:
    """The failure of an earlier start of the same revision, unless an edit has given it a new chance."""
    failure = previous.failure
    if failure is None or previous.current_revision != subject.revision:
        return None
    if failure.pod is None or failure.reason in _BEFORE_THE_START:       # looked for at every reconcile
        return None
    was_halted = failure.message.endswith(_HALT_NOTE)
    return None if was_halted and not is_halted(previous, subject) else failure


def _written(subject: Subject, finding: Finding, previous: Status, facts: Facts) -> Failure:
    """A finding in the API's form; without a time of its own it keeps the one at which it was first written."""
    last = previous.failure
    same = last is not None and (last.reason, last.pod) == (finding.reason, finding.pod or None)
    known = last if last and same and _has_told_more(last, finding) else None
    message = known.message if known else _sentence(finding.message)
    is_old = same and not is_answer(previous, subject.generation, message)
    return Failure(
        reason=finding.reason,
        message=message,
        remedy=known.remedy if known else finding.remedy,
        fixes=[Fix(field=fix.field, value=fix.value, why=fix.why) for fix in finding.fixes],
        documentation=f"{HANDBOOK}#{finding.reason.value.lower()}",
        pod=finding.pod or None,
        at=finding.at or (last.at if last and is_old else None) or rfc3339(facts.now),
        log_excerpt=finding.log_excerpt or None,
    )


def _has_told_more(last: Failure, finding: Finding) -> bool:
    """Before 1.32 Kubernetes tells why an image was not pulled only until it waits for the next attempt."""
    bare = finding.message.removesuffix(BACK_OFF)
    return bare != finding.message and last.message.startswith(bare)


def _sentence(text: str) -> str:
    """The remedy follows it in conditions and Events, and others' words end as they like."""
    return text if not text or text[-1] in ".!?" else f"{text}."


def _is_hopeless(subject: Subject, previous: Status, facts: Facts) -> bool:
    """Nothing serves, every pod of the current revision that has started is exhausted, and no good one is left.

    A pod of the last good revision is never given up: one that does not answer for a moment may do so again.
    """
    started = [pod for pod in facts.current if pod.running or pod.ended]
    good = any(names.revision_name(subject.name, pod.revision) == previous.last_good_revision for pod in facts.alive)
    return bool(started) and all(map(_is_exhausted, started)) and not facts.ready and not good


def _is_exhausted(pod: PodFacts) -> bool:
    """Three restarts have failed; the one that runs now is not counted before it has failed too."""
    runs_on = pod.running and not (pod.report and pod.report.failure)
    return pod.restarts - runs_on >= RESTARTS_BEFORE_HALT
