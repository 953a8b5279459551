"""Turns a case into its verdict: every check in order, and what was missing for a better one.

Pure; the last step of fits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from deepseekserve import catalog, sizing
from deepseekserve.api import DeepSeekServe
from deepseekserve.facts import FITS, REFUSED, UNKNOWN, Finding, Fix
from deepseekserve.fits import asked, autos, checks, doubts, extras, formats, hardware, memory, remedies
from deepseekserve.fits.case import Case, Decision, Known, case_of
from deepseekserve.fits.remedies import Remedy

_SAME_PERCENT = 2                      # headers of files, and what a format leaves out


@dataclass(frozen=True)
class Verdict:
    """Whether it can work: True, False or Unknown, as the status of a condition."""

    fits: str
    message: str                       # one sentence, with the numbers
    case: Case
    refusals: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()      # facts without which nothing more can be said
    cures: tuple[Remedy, ...] = ()     # of what is refused, alternatives

    @cached_property
    def remedies(self) -> tuple[Remedy, ...]:
        """The cures; where only the GPU is not known, one that would do. That is looked for when somebody asks."""
        is_open = self.fits == UNKNOWN and self.case.known.gpu is None
        return remedies.another_gpu(self.case) if is_open else self.cures

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """All edits that were offered, which `remedies` has as groups."""
        offered = [fix for remedy in self.remedies for fix in remedy.fixes]
        return tuple({(fix.field, fix.value): fix for fix in offered}.values())


def judge(serve: DeepSeekServe, known: Known, arguments: Sequence[str] | None = None) -> Verdict:
    """Judge a resource by what is known; raises InvalidSpec where the resource contradicts itself.

    Each Auto is what the arguments of its engine say, or, where none has been started, what the sum decides.
    """
    if arguments is None:
        case = Decision(serve, autos.decided).case(serve, known)
    else:
        case = case_of(autos.as_started(serve, arguments), known)
    missing, warnings = tuple(checks.missing(case)), (*autos.told(serve, case), *_warnings(case))
    if refused := checks.refusals(case):
        found_remedies = remedies.remedies(case)
        return Verdict(REFUSED, _sentence(finding.message for _, finding in refused), case,
                       tuple(remedies.with_fixes(refused, found_remedies)), warnings, missing, found_remedies)
    if fallback := formats.falls_back(case):
        warnings = (*warnings, f"{fallback.why}: set {fallback.field} to {fallback.value} to say so")
    found = case.sizing
    if missing or found is None:
        return Verdict(UNKNOWN, _sentence(missing), case, warnings=warnings, missing=missing)
    if case.room and not found.fits:
        warnings = (*warnings, "this is closer than the sum is sure of: the engine may still find too little memory")
    start = memory.terms(case, found) if case.room else "no limit of memory is set"
    return Verdict(FITS, f"{start}; the KV cache holds {found.tokens:,} tokens", case, warnings=warnings)


def _warnings(case: Case) -> Iterator[str]:
    gpu = case.known.gpu
    yield from _of_another_release(case)
    yield from doubts.arguments(case.serve)
    if gpu and hardware.is_slice(case.serve, case.known.gpu_name):
        yield f"the memory of {gpu.product} is what its name says, less 5 %"
    if gpu and gpu.capability is None:
        yield (f"the compute capability of {gpu.product} is not known: whether it can compute in the number formats "
               "and the quantization that are asked for has not been judged")
    if not case.on_gpu and case.room and case.plan:
        yield "on CPU the sum is of weights and KV cache alone: what the engine's processes take besides is not in it"
    if flags := extras.slight(case.serve):
        yield f"{' and '.join(flags)} is not part of the sum, which may be off by that"
    if case.plan and (files := case.known.weights_bytes):
        form = case.plan.form if case.method else None
        expected = sizing.checkpoint_bytes(case.plan.shape, form)
        if abs(files - expected) * 100 > expected * _SAME_PERCENT:
            yield f"the weight files are {files:,} bytes, and the formulas make them {expected:,}"
    if case.plan is None and "auto_map" in (case.known.config or {}) and not case.serve.spec.model.trust_remote_code:
        yield "the model brings Python code of its own, and spec.model.trustRemoteCode is false"
    if case.plan and case.plan.form and case.plan.form.only and not case.plan.shape.visits:
        yield f"{case.plan.form.method} quantizes experts only, and this model has none: nothing becomes smaller"


def _of_another_release(case: Case) -> Iterator[str]:
    image, release = case.serve.spec.engine.image, asked.version(case.serve)
    if release is None:
        yield f"the tag of {image} names no release of vLLM, so it was judged as {catalog.ENGINE}"
    elif release != asked.ENGINE:
        yield (f"what vLLM can do is known of {catalog.ENGINE}: {image} may refuse what is admitted here, "
               "or take more memory")


def _sentence(parts: Iterable[str]) -> str:
    return "; also ".join(parts)
