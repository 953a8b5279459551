"""Turns what is refused of a case into remedies: edits that, all of one applied, all checks admit.

Pure; between `checks` and `verdict`. An edit that another refusal or a new one stands against is completed with edits
against that one, tried again, and dropped when nothing helps; what turns out not to be needed is left out.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from deepseekserve import catalog
from deepseekserve.agent.reasons import Reason
from deepseekserve.engine import AUTO
from deepseekserve.facts import Finding, Fix
from deepseekserve.fits import asked, checks, division, formats, memory
from deepseekserve.fits.case import NODE_SELECTOR, Case, mended
from deepseekserve.fits.checks import Check
from deepseekserve.sizing import Sizing

_COUNTS = (2, 4, 8, memory.MOST_GPUS)  # of GPUs that share a model
_FOR_ANOTHER_GPU = (Reason.DOES_NOT_FIT, Reason.QUANTIZATION_UNSUPPORTED)


@dataclass(frozen=True)
class Step:
    """One edit, and the check whose refusal it is for; none for what only says aloud what happens anyway."""

    check: Check | None
    fix: Fix


@dataclass(frozen=True)
class Remedy:
    """Edits that belong together."""

    steps: tuple[Step, ...]

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """As they are applied."""
        return tuple(step.fix for step in self.steps)


def remedies(case: Case) -> tuple[Remedy, ...]:
    """All ways that were found, the least first: alternatives, which do no harm beside each other either."""
    found: list[Remedy] = []
    for steps in _ways(case, (), ()):
        remedy = Remedy((*_needed(case, steps), *_said_aloud(case, steps)))
        edits = [*(fix for other in found for fix in other.fixes), *remedy.fixes]
        if _values(remedy.fixes) not in [_values(other.fixes) for other in found] and _is_admitted(case, edits):
            found.append(remedy)
    return tuple(found)


def another_gpu(case: Case) -> tuple[Remedy, ...]:
    """For a case in which nothing is refused: the product with which it would surely work."""
    return tuple(Remedy(tuple(Step(None, fix) for fix in fixes)) for fixes in products(case))


def products(case: Case) -> Iterator[tuple[Fix, ...]]:
    """The smallest GPU of the catalogue that would do; where there is none, the smallest of which several would."""
    for more in _more(case):
        if largest := _would_do(case, edits := (_product(case, catalog.GPUS[-1]), *more)):
            enough = [gpu for gpu in catalog.GPUS if gpu.memory_bytes >= largest.weights + largest.held]
            smaller = ((_product(case, gpu), *more) for gpu in enough)
            yield next((fixes for fixes in smaller if _would_do(case, fixes)), edits)
            return


def _product(case: Case, gpu: catalog.Gpu) -> Fix:
    selector = case.serve.spec.scheduling.node_selector
    return Fix(NODE_SELECTOR, json.dumps({**selector, asked.PRODUCT_LABEL: gpu.product}),
               f"a GPU of {memory.gib(gpu.memory_bytes)} GiB and compute capability {gpu.capability_text}")


def _would_do(case: Case, fixes: Sequence[Fix]) -> Sizing | None:
    """The sum, where nothing is refused then and it fits without any doubt."""
    other = mended(case, fixes)
    found = other.sizing if other and not checks.refusals(other) else None
    return found if found and found.fits else None


def _more(case: Case) -> Iterator[tuple[Fix, ...]]:
    """The GPUs that there are, then more of them, where each is one more rank."""
    yield ()
    if case.serve.spec.resources.parallelism.tensor == AUTO:
        for count in (count for count in _COUNTS if count > case.ranks):
            yield (Fix("spec.resources.gpu.count", str(count), "they share the weights"),)


def with_fixes(refused: Iterable[tuple[Check, Finding]], found: Sequence[Remedy]) -> Iterator[Finding]:
    """Each refusal with its own edits among those of the remedies."""
    for check, finding in refused:
        own = [step.fix for remedy in found for step in remedy.steps if step.check is check]
        yield replace(finding, fixes=tuple({(fix.field, fix.value): fix for fix in own}.values()))


def _ways(case: Case, steps: tuple[Step, ...], met: tuple[Check, ...]) -> Iterator[tuple[Step, ...]]:
    """Edits after which nothing is refused; each check's refusal is met once, so that there is an end."""
    other = mended(case, [step.fix for step in steps])
    if other is None:
        return
    refused = sorted(checks.refusals(other), key=lambda pair: _needs_hardware(*pair))
    if not refused and _is_admitted(case, [step.fix for step in steps]):
        yield steps
    if not refused or refused[0][0] in met:
        return
    check, finding = refused[0]
    for edits in _edits(other, check, finding):
        kept = tuple(step for step in steps if step.fix.field not in {fix.field for fix in edits})
        yield from _ways(case, (*kept, *(Step(check, fix) for fix in edits)), (*met, check))


def _edits(case: Case, check: Check, finding: Finding) -> Iterator[tuple[Fix, ...]]:
    """What may help against one refusal."""
    alone = [*finding.fixes]
    if check is division.heads and case.plan:
        alone += division.nearest(case, case.plan)
    if check is memory.memory:
        alone += memory.candidates(case)
    yield from ((fix,) for fix in alone)
    if _needs_hardware(check, finding) and case.known.gpu:
        yield from products(case)


def _needs_hardware(check: Check, finding: Finding) -> bool:
    """Whether another product can help: that is looked for when all else is settled."""
    return check is memory.memory or (not finding.fixes and finding.reason in _FOR_ANOTHER_GPU)


def _needed(case: Case, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Without the edits that a later one has made superfluous."""
    for step in steps:
        rest = tuple(other for other in steps if other is not step)
        if rest and _is_admitted(case, [other.fix for other in rest]):
            return _needed(case, rest)
    return steps


def _said_aloud(case: Case, steps: Iterable[Step]) -> Iterator[Step]:
    other = mended(case, [step.fix for step in steps])
    if other and (fix := formats.falls_back(other)):
        yield Step(None, fix)


def _is_admitted(case: Case, fixes: Sequence[Fix]) -> bool:
    """Whether nothing is refused then, nothing more is unknown, and a sum that was too large is surely small enough."""
    other = mended(case, fixes)
    if other is None or checks.refusals(other) or set(checks.missing(other)) - set(checks.missing(case)):
        return False
    was_too_large = any(check is memory.memory for check, _ in checks.refusals(case))
    return not was_too_large or other.sizing is None or other.room is None or other.sizing.fits


def _values(fixes: Iterable[Fix]) -> set[tuple[str, str]]:
    return {(fix.field, fix.value) for fix in fixes}
