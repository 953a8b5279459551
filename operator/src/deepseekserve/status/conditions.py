"""Turns the decision into the conditions Ready, Reconciling, Stalled, Degraded and Fits: always all five.

Pure; part of status. lastTransitionTime moves only when a status flips; Reconciling and Stalled are never both True, as
kstatus asks for.
"""

from typing import NamedTuple

from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.api import Condition, Failure, Startup, Status
from deepseekserve.facts import FITS, Facts
from deepseekserve.facts.moments import rfc3339
from deepseekserve.status.engine import degradation
from deepseekserve.status.failure import SCALED_TO_ZERO, needs_edit, serves_fully
from deepseekserve.status.subject import Subject

_SUSPENDED = "No pods run: spec.suspended is true or spec.replicas is 0."
_NOT_ANSWERING = "NotAnswering"


class Case(NamedTuple):
    """What the conditions are judged by."""

    subject: Subject
    previous: Status
    facts: Facts
    failure: Failure | None
    halted: bool
    startup: Startup | None
    obstacle: str                 # why the children could not be brought into their form; empty when they were

    @property
    def stalled(self) -> bool:
        """Only an edit of the spec can help."""
        return self.halted or needs_edit(self.subject, self.previous, self.facts, self.failure)

    @property
    def settled(self) -> bool:
        """The pods are those that are asked for, and no others."""
        pods = self.facts.alive
        if self.subject.suspended:
            return not pods
        return serves_fully(self.subject, self.facts) and len(pods) == self.subject.replicas

    @property
    def serves(self) -> bool:
        """Requests are answered, by whichever revision, and shall be."""
        return bool(self.facts.ready) and not self.subject.suspended


class Verdict(NamedTuple):
    """A condition without its times."""

    type: str
    true: bool | None             # None: unknown
    reason: str
    message: str


def conditions(case: Case) -> list[Condition]:
    """All five, in a fixed order."""
    return [_dated(judge(case), case) for judge in (_ready, _reconciling, _stalled, _degraded, _fits)]


def _dated(verdict: Verdict, case: Case) -> Condition:
    status = "Unknown" if verdict.true is None else str(verdict.true)
    last = next((c for c in case.previous.conditions if c.type == verdict.type), None)
    return Condition(
        type=verdict.type,
        status=status,
        reason=verdict.reason,
        message=verdict.message,
        observed_generation=case.subject.generation,
        last_transition_time=last.last_transition_time if last and last.status == status else rfc3339(case.facts.now),
    )


def _ready(case: Case) -> Verdict:
    if case.subject.suspended and not case.failure:
        return Verdict("Ready", False, Reason.SUSPENDED.value, _SUSPENDED)
    if case.serves:
        whose = "" if any(pod.ready for pod in case.facts.current) else ", of an earlier revision"
        number = f"{len(case.facts.ready)}{whose}; asked for: {case.subject.replicas}"
        return Verdict("Ready", True, Phase.SERVING.value, f"Pods that serve the model: {number}.")
    if case.failure:
        return Verdict("Ready", False, case.failure.reason.value, case.failure.message)
    if case.facts.lapsed:
        pods = ", ".join(pod.name for pod in case.facts.lapsed)
        return Verdict("Ready", False, _NOT_ANSWERING, f"Served before, and does not answer its probe now: {pods}.")
    phase = _phase(case)
    return Verdict("Ready", False, phase, f"No pod serves yet; the slowest one is in phase {phase}.")


def _phase(case: Case) -> str:
    return ((case.startup.phase if case.startup else None) or Phase.PENDING).value


def _reconciling(case: Case) -> Verdict:
    if case.halted:
        return Verdict("Reconciling", False, SCALED_TO_ZERO, "Nothing runs until the spec is edited.")
    if case.stalled and case.failure:
        return Verdict("Reconciling", False, case.failure.reason.value, "Only an edit of the spec can help.")
    if case.obstacle:
        return Verdict("Reconciling", True, "ApplyFailed", f"Tried again after {case.obstacle}")
    if case.failure:
        return Verdict("Reconciling", True, "Retrying", f"Tried again after {case.failure.reason.value}.")
    if case.settled and not case.facts.is_pending:
        return Verdict("Reconciling", False, "Settled", "The pods are those that the spec asks for.")
    return _under_way(case)


def _under_way(case: Case) -> Verdict:
    if case.facts.fit and case.facts.is_pending:
        return Verdict("Reconciling", True, "ReadingModel", case.facts.fit.message)
    if case.startup:
        return Verdict("Reconciling", True, _phase(case), "Pods of the current revision are starting.")
    if any(pod.lapsed for pod in case.facts.current):
        return Verdict("Reconciling", True, _NOT_ANSWERING, "A pod that has served is waited for.")
    return Verdict("Reconciling", True, "Scaling", "The number of pods is not yet what the spec asks for.")


def _stalled(case: Case) -> Verdict:
    if case.stalled and case.failure:
        advice = f"{case.failure.message} {case.failure.remedy}".strip()
        return Verdict("Stalled", True, case.failure.reason.value, advice)
    return Verdict("Stalled", False, "NotStalled", "Nothing waits for an edit of the spec.")


def _degraded(case: Case) -> Verdict:
    if not case.serves:
        return Verdict("Degraded", False, "NotServing", "Nothing serves; see the condition Ready.")
    if case.failure:
        return Verdict("Degraded", True, case.failure.reason.value, case.failure.message)
    if less := degradation(case.previous, case.facts):
        return Verdict("Degraded", True, *less)
    return Verdict("Degraded", False, "NotDegraded", "What serves is what was asked for, or on its way to it.")


def _fits(case: Case) -> Verdict:
    fit = case.facts.fit
    if fit is None:
        return Verdict("Fits", None, Reason.INVALID_SPEC.value, "The spec cannot be used: nothing was computed.")
    message = f"{fit.message}; but note: {'; '.join(fit.warnings)}" if fit.warnings else fit.message
    if fit.finding:
        return Verdict("Fits", False, fit.finding.reason.value, fit.message)
    known = fit.status == FITS
    return Verdict("Fits", known or None, "Fits" if known else "NotKnown", message)
