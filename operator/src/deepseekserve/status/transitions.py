"""Turns two statuses, the last and the next, into the notes that are worth an Event: transitions only.

Pure; beside status. reconcile posts them and writes one log line for each.
"""

from typing import NamedTuple

from deepseekserve.agent.reasons import Phase
from deepseekserve.api import Status
from deepseekserve.status.failure import SCALED_TO_ZERO, is_answer


class Note(NamedTuple):
    """One Event: Normal or Warning, a machine-readable reason, and a sentence."""

    type: str
    reason: str
    action: str
    message: str


def notes(previous: Status, status: Status) -> tuple[Note, ...]:
    """What has happened between two statuses, in the order in which it did."""
    steps = (_admitted, _rollout, _failed, _halted, _phase)
    found = (step(previous, status) for step in steps)
    return tuple(note for note in found if note)


def _admitted(previous: Status, status: Status) -> Note | None:
    """What cannot work by computation and is started all the same."""
    unfit, was_unfit = (next((c.message for c in s.conditions if c.type == "Fits" and c.status == "False"), "")
                        for s in (status, previous))
    was_refused = previous.failure is not None and previous.failure.pod is None
    if not unfit or status.failure or (unfit == was_unfit and not was_refused):
        return None
    return Note("Warning", "AdmittedWithWarning", "Judge", f"Started although it cannot work by computation: {unfit}")


def _rollout(previous: Status, status: Status) -> Note | None:
    if not status.current_revision or status.current_revision == previous.current_revision:
        return None
    return Note("Normal", "RolloutStarted", "Rollout", f"Revision {status.current_revision} is being rolled out.")


def _failed(previous: Status, status: Status) -> Note | None:
    failure, last = status.failure, previous.failure
    if failure is None:
        return None
    is_known = last and last.reason == failure.reason and _is_same_revision(previous, status)
    if is_known and not is_answer(previous, status.observed_generation, failure.message):
        return None
    return Note("Warning", failure.reason.value, "Diagnose", f"{failure.message} {failure.remedy}".strip())


def _halted(previous: Status, status: Status) -> Note | None:
    if _says_halted(previous) or not _says_halted(status):
        return None
    return Note("Warning", SCALED_TO_ZERO, "Scale", "Scaled to zero: only an edit of the spec can help.")


def _phase(previous: Status, status: Status) -> Note | None:
    if status.phase is previous.phase:
        return None
    if status.phase is Phase.SERVING:
        return Note("Normal", Phase.SERVING.value, "Serve", "The model is served.")
    if status.phase is Phase.SUSPENDED:
        return Note("Normal", Phase.SUSPENDED.value, "Scale", "Suspended: no pods run.")
    return None


def _is_same_revision(previous: Status, status: Status) -> bool:
    return previous.current_revision == status.current_revision


def _says_halted(status: Status) -> bool:
    return any(c.type == "Reconciling" and c.reason == SCALED_TO_ZERO for c in status.conditions)
