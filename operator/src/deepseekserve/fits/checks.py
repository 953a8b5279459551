"""All checks in order, and the facts that a case lacks: what `remedies` tries edits by, and `verdict` tells.

Pure.
"""

from collections.abc import Callable, Iterator

from deepseekserve import catalog
from deepseekserve.facts import Finding
from deepseekserve.fits import asked, division, extras, formats, memory
from deepseekserve.fits.case import Case

_MOST_NAMED = 4
Check = Callable[[Case], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    formats.capability, formats.quantization, formats.dtype, formats.cache_dtype, division.devices, division.batch,
    division.heads, division.context, memory.memory,
)


def refusals(case: Case) -> list[tuple[Check, Finding]]:
    """What is refused, by which check; the fixes of a finding are edits that nobody has tried."""
    return [(check, finding) for check in CHECKS for finding in check(case)]


def missing(case: Case) -> Iterator[str]:
    """Facts without which nobody can say that it fits."""
    if case.plan is None:
        yield case.problem
    if case.unclear:
        yield case.unclear
    elif case.on_gpu and case.known.gpu is None:
        yield _unknown(case.known.gpu_name)
    if flags := extras.uncounted(case.serve):
        yield f"{' and '.join(flags)} is not part of the sum"
    method = case.method or case.flag
    if method and method not in catalog.METHODS:
        yield f"vLLM {catalog.ENGINE} itself has no {method}: whether the image has it is not known"


def _unknown(name: str) -> str:
    if not name:
        return f"the GPU is not known: spec.scheduling.nodeSelector has no {asked.PRODUCT_LABEL}"
    meant = " and ".join(gpu.product for gpu in catalog.gpus_like(name)[:_MOST_NAMED])
    return f"the GPU {name} is not in the catalogue, and its memory is not known{f'; it has {meant}' if meant else ''}"
