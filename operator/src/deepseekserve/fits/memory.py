"""What the sum forbids, in one sentence with its terms, and the edits after which it may be enough.

Pure; the last check of `verdict`. `remedies` tries the edits.
"""

from collections.abc import Iterator

from deepseekserve import catalog, engine, sizing
from deepseekserve.agent.reasons import Reason
from deepseekserve.facts import Finding, Fix
from deepseekserve.fits import extras
from deepseekserve.fits.case import MODEL_SOURCE, Case

MIB, GIB = 1 << 20, 1 << 30
MOST_GPUS = 16                         # of one pod that are suggested
_USUAL_TOKENS, _USUAL_SEQUENCES = 2048, 256      # what the engine takes unasked on most GPUs
_USUAL_PERCENT = engine.MEMORY_UTILIZATION_PERCENT
_FP8_CACHE_FAST = 89                   # with FP8 in the GPU's own arithmetic: what all attention backends can do


def memory(case: Case) -> Iterator[Finding]:
    """Weights, context or a cache of fixed size that the memory does not hold, by more than the sum may be wrong."""
    found = case.sizing
    if extras.uncounted(case.serve):
        return
    if found is None or case.plan is None:
        yield from _weights_alone(case)
    elif _has_fixed_cache(case) and found.request > found.cache:
        yield Finding(Reason.KV_CACHE_TOO_SMALL, (
            f"one request of {found.context} tokens takes {_mib(found.request)} MiB of KV cache, and kvCacheMemory is "
            f"{_mib(found.cache)}; {_longest(found)}"))
    elif case.room and found.needs > found.budget + case.room.margin:
        least = f"kvCacheMemory can be {_mib(max(0, found.cache + found.budget - found.needs))} MiB"
        advice = least if _has_fixed_cache(case) else _longest(found)
        yield Finding(Reason.DOES_NOT_FIT, f"{terms(case, found)}; {advice}")


def terms(case: Case, found: sizing.Sizing) -> str:
    """The sum in words; each of several ranks needs as much, and has a device of its own."""
    each = f" on each of {case.ranks} devices" if case.ranks > 1 else ""
    at = f" at {found.context} tokens" if found.held == found.request else ""
    return (f"needs {gib(found.needs)} GiB{each}, has {gib(found.budget)}: weights {gib(found.weights)}, "
            f"KV cache {gib(found.held)}{at}, overhead {gib(found.overhead)}")


def _longest(found: sizing.Sizing) -> str:
    return f"at most {found.largest:,} tokens fit" if found.largest else "no context fits"


def _has_fixed_cache(case: Case) -> bool:
    return engine.kv_cache_bytes(case.serve) is not None


def candidates(case: Case) -> Iterator[Fix]:
    """Edits that may help, the least first; another product is not among them."""
    if case.plan is not None and case.sizing is not None:
        yield from _less(case, case.plan, case.sizing)
        yield from _more(case, case.plan, case.sizing)


def _less(case: Case, plan: sizing.Plan, found: sizing.Sizing) -> Iterator[Fix]:
    """Edits after which less is needed."""
    gpu = case.known.gpu
    if found.largest and found.largest < found.context:
        yield Fix("spec.engine.maxModelLen", str(found.largest), f"{found.largest} tokens fit")
    if _has_fixed_cache(case):
        yield Fix("spec.engine.kvCacheMemory", f"{_mib(found.request)}Mi", "one request takes as much")
    if 0 < (case.serve.spec.engine.memory_utilization_percent or 0) < _USUAL_PERCENT and not _has_fixed_cache(case):
        yield Fix("spec.engine.memoryUtilizationPercent", str(_USUAL_PERCENT), "the share that is taken unasked")
    if gpu and (gpu.capability or 0) >= _FP8_CACHE_FAST and plan.setup.cache_bytes > 1:
        yield Fix("spec.engine.kvCacheDtype", "FP8", "the KV cache takes half the memory")
    if (case.serve.spec.engine.max_num_batched_tokens or 0) > _USUAL_TOKENS:
        yield Fix("spec.engine.maxNumBatchedTokens", str(_USUAL_TOKENS), "a smaller step takes less memory")
    if (case.serve.spec.engine.max_num_seqs or 0) > _USUAL_SEQUENCES:
        yield Fix("spec.engine.maxNumSeqs", str(_USUAL_SEQUENCES), "fewer requests at once take less memory")
    model = catalog.find_model(case.serve.spec.model.source)
    for copy in catalog.siblings(model) if model else ():
        yield Fix(MODEL_SOURCE, f"hf://{copy.id}", "a quantized copy of the model")


def _more(case: Case, plan: sizing.Plan, found: sizing.Sizing) -> Iterator[Fix]:
    """Edits after which there is more."""
    if case.room and case.known.gpu and case.serve.spec.resources.parallelism.tensor == engine.AUTO:
        ranks = sizing.smallest_tensor(plan, case.room, found.context)
        if ranks and ranks * plan.setup.pipeline <= MOST_GPUS:
            yield Fix("spec.resources.gpu.count", str(ranks * plan.setup.pipeline), "they share the weights")
    if not case.on_gpu:
        least = max(4 * found.request, 2 * (found.weights + GIB))
        yield Fix("spec.resources.memory", f"{-(-least // GIB)}Gi", "a quarter of it is for the KV cache")


def _weights_alone(case: Case) -> Iterator[Finding]:
    """A model that cannot be sized, but whose files are larger than all memory there is."""
    files, room = case.known.weights_bytes, case.room
    if files and room and case.flag is None and files > case.ranks * room.total:
        yield Finding(Reason.DOES_NOT_FIT, (
            f"the weights alone are {gib(files)} GiB, and {case.ranks} x {gib(room.total)} GiB is all there is"))


def gib(number: int) -> str:
    """Bytes as a person reads them."""
    return f"{number / GIB:.1f}"


def _mib(number: int) -> int:
    """Rounded up, so that what is asked for is enough."""
    return -(-number // MIB)
