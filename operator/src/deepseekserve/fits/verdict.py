"""Turns a case into its verdict: every check in order, and what was missing for a better one.

Pure; the last step of fits.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from deepseekserve import catalog, sizing
from deepseekserve.agent.reasons import Reason
from deepseekserve.api import DeepSeekServe
from deepseekserve.facts import Finding, Fix
from deepseekserve.fits import division, formats, memory
from deepseekserve.fits.case import Case, Known, case_of

FITS, REFUSED, UNKNOWN = "True", "False", "Unknown"
CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    formats.capability, formats.quantization, formats.dtype, formats.cache_dtype, division.devices, division.batch,
    division.heads, division.context, memory.memory,
)
_SAME_PERCENT = 2                      # headers of files, and what a format leaves out
_FOR_ANOTHER_GPU = (Reason.DOES_NOT_FIT, Reason.QUANTIZATION_UNSUPPORTED)


@dataclass(frozen=True)
class Verdict:
    """Whether it can work: True, False or Unknown, as the status of a condition."""

    fits: str
    message: str                       # one sentence, with the numbers
    case: Case
    refusals: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()      # facts without which nothing more can be said
    hints: tuple[Fix, ...] = ()        # edits that say what is meant, or with which GPU it would fit

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """All edits that were offered; those of one refusal are alternatives."""
        offered = [*(fix for finding in self.refusals for fix in finding.fixes), *self.hints]
        return tuple({(fix.field, fix.value): fix for fix in reversed(offered)}.values())[::-1]


def judge(serve: DeepSeekServe, known: Known) -> Verdict:
    """Judge a resource by what is known; raises InvalidSpec where the resource contradicts itself."""
    case = case_of(serve, known)
    missing, warnings = tuple(_missing(case)), tuple(_warnings(case))
    fallback = formats.falls_back(case)
    refusals = tuple(_with_another_gpu(case, finding) for check in CHECKS for finding in check(case))
    if refusals:
        return Verdict(REFUSED, _sentence(finding.message for finding in refusals), case, refusals, warnings, missing,
                       (fallback,) if fallback else ())
    if fallback:
        warnings = (*warnings, f"{fallback.why}: set {fallback.field} to {fallback.value} to say so")
    found = case.sizing
    if missing or found is None:
        hints = () if case.known.gpu else tuple(memory.larger_gpu(case))
        return Verdict(UNKNOWN, _sentence(missing), case, warnings=warnings, missing=missing, hints=hints)
    if case.room and not found.fits:
        warnings = (*warnings, "this is closer than the sum is sure of: the engine may still find too little memory")
    start = memory.terms(found) if case.room else "no limit of memory is set"
    return Verdict(FITS, f"{start}; the KV cache holds {found.tokens:,} tokens", case, warnings=warnings)


def _with_another_gpu(case: Case, finding: Finding) -> Finding:
    """A refusal that only another product can help with, with that product."""
    if finding.fixes or finding.reason not in _FOR_ANOTHER_GPU:
        return finding
    return replace(finding, fixes=tuple(memory.larger_gpu(case)))


def _missing(case: Case) -> Iterator[str]:
    if case.plan is None:
        yield case.problem
    if case.on_gpu and case.known.gpu is None:
        name = case.known.gpu_name
        yield f"the GPU {name} is not in the catalogue, and its memory not known" if name else "the GPU is not known"
    if flags := memory.uncounted(case):
        yield f"{' and '.join(flags)} is not part of the sum"
    method = case.method or case.flag
    if method and method not in catalog.METHODS:
        yield f"vLLM {catalog.ENGINE} itself has no {method}: whether the image has a plugin for it is not known"


def _warnings(case: Case) -> Iterator[str]:
    if case.plan and (files := case.known.weights_bytes):
        form = case.plan.form if case.method else None
        expected = sizing.checkpoint_bytes(case.plan.shape, form)
        if abs(files - expected) * 100 > expected * _SAME_PERCENT:
            yield f"the weight files are {files:,} bytes, and the formulas make them {expected:,}"
    if case.plan is None and "auto_map" in (case.known.config or {}) and not case.serve.spec.model.trust_remote_code:
        yield "the model brings Python code of its own, and spec.model.trustRemoteCode is false"
    if case.plan and case.plan.form and case.plan.form.only and not case.plan.shape.visits:
        yield f"{case.plan.form.method} quantizes experts only, and this model has none: nothing becomes smaller"


def _sentence(parts: Iterable[str]) -> str:
    return "; also ".join(parts)
