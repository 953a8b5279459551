"""Turns everything known of a resource into its next Status, to be written when it differs from the last.

Pure; the end of the flow. `decide` is a function of the last status and the facts alone, so that an operator that was
killed goes on where it stood: what must be remembered is in the status.
"""

from deepseekserve import names
from deepseekserve.agent.reasons import Phase
from deepseekserve.api import Failure, SizingStatus, Startup, Status
from deepseekserve.facts import Facts, Finding
from deepseekserve.status.conditions import Case, conditions
from deepseekserve.status.engine import engine_facts
from deepseekserve.status.failure import failing, is_halted, serves_fully
from deepseekserve.status.room import makes_room
from deepseekserve.status.startup import passing, startup
from deepseekserve.status.subject import Subject
from deepseekserve.status.transitions import Note, notes

__all__ = ["Note", "Subject", "decide", "makes_room", "notes", "passing", "serves_fully", "wanted_replicas"]


def wanted_replicas(subject: Subject, previous: Status) -> int:
    """How many pods shall run: what is asked for, or none after a failure that only an edit can cure."""
    return 0 if is_halted(previous, subject) else subject.replicas


def decide(
    subject: Subject, previous: Status, facts: Facts, finding: Finding | None, *, obstacle: str = "",
) -> Status:
    """The status that says what `facts` and `finding` mean for what is asked for, and what keeps us from it."""
    failure, halted = failing(subject, previous, facts, finding)
    idle = subject.suspended or halted or (facts.is_refused and not facts.current)
    starting = None if idle else startup(subject, previous, facts)
    return Status(
        observed_generation=subject.generation,
        phase=_phase(subject, facts, failure, starting),
        model=subject.model,
        url=names.service_url(subject.name, subject.namespace),
        replicas=len(facts.alive),
        ready_replicas=len(facts.ready),
        selector=f"{names.LABEL_NAME}={subject.name}",
        conditions=conditions(Case(subject, previous, facts, failure, halted, starting, obstacle)),
        startup=starting,
        sizing=_sizing(facts),
        engine=engine_facts(subject, previous, facts),
        failure=failure,
        current_revision=subject.revision or None,
        last_good_revision=subject.revision if serves_fully(subject, facts) else previous.last_good_revision,
    )


def _sizing(facts: Facts) -> SizingStatus | None:
    fit = facts.fit
    if fit is None or not (fit.amounts or fit.read):
        return None
    if fit.amounts is None:
        return SizingStatus(spec_hash=fit.spec_hash or None, summary=fit.read)
    amounts = fit.amounts
    return SizingStatus(
        weights_bytes=amounts.weights, kv_bytes_per_token=amounts.token, overhead_bytes=amounts.overhead,
        available_bytes=amounts.available, max_model_len=amounts.context, kv_cache_tokens=amounts.tokens,
        spec_hash=fit.spec_hash or None, summary=fit.read or None,
    )


def _phase(subject: Subject, facts: Facts, failure: Failure | None, starting: Startup | None) -> Phase:
    if subject.suspended and not failure:
        return Phase.SUSPENDED
    if facts.ready and not subject.suspended:
        return Phase.SERVING
    if failure:
        return Phase.FAILED
    # Without a start all pods have served before, and no phase is nearer to one that runs and does not answer.
    return (starting.phase if starting else None) or Phase.STARTING
