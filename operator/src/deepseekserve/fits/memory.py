"""What the sum forbids, in one sentence with its terms, and the edits after which it would be enough.

Pure; the last check of `verdict`. A fix is offered only when the edited resource has been judged and fits.
"""

import json
from collections.abc import Iterator
from dataclasses import replace

from deepseekserve import catalog, engine, sizing
from deepseekserve.agent.reasons import Reason
from deepseekserve.api import InvalidSpec
from deepseekserve.facts import Finding, Fix
from deepseekserve.fits import asked, formats
from deepseekserve.fits.case import Case, case_of, edited

MIB, GIB = 1 << 20, 1 << 30
_SELECTOR = "spec.scheduling.nodeSelector"
MOST_GPUS = 16                         # of one pod that are suggested
_FP8_CACHE_FAST = 89                   # with FP8 in the GPU's own arithmetic: what all attention backends can do
# What moves weights or cache elsewhere: the sum does not hold.
UNCOUNTED = ("--cpu-offload-gb", "--hf-overrides", "--data-parallel-size", "--decode-context-parallel-size",
             "--prefill-context-parallel-size", "--kv-offloading-size", "--compilation-config")


def memory(case: Case) -> Iterator[Finding]:
    """Weights, context or a cache of fixed size that the memory does not hold, by more than the sum may be wrong."""
    found = case.sizing
    if uncounted(case):
        return
    if found is None or case.plan is None:
        yield from _weights_alone(case)
    elif _has_fixed_cache(case) and found.request > found.cache:
        yield Finding(Reason.DOES_NOT_FIT, (
            f"one request of {found.context} tokens takes {_mib(found.request)} MiB of KV cache, and kvCacheMemory is "
            f"{_mib(found.cache)}; {_longest(found)}"), fixes=_fixes(case, case.plan, found))
    elif case.room and found.needs > found.budget + case.room.margin:
        least = f"kvCacheMemory can be {_mib(max(0, found.cache + found.budget - found.needs))} MiB"
        advice = least if _has_fixed_cache(case) else _longest(found)
        yield Finding(Reason.DOES_NOT_FIT, f"{terms(found)}; {advice}", fixes=_fixes(case, case.plan, found))


def terms(found: sizing.Sizing) -> str:
    """The sum in words."""
    at = f" at {found.context} tokens" if found.held == found.request else ""
    return (f"needs {_gib(found.needs)} GiB, has {_gib(found.budget)}: weights {_gib(found.weights)}, "
            f"KV cache {_gib(found.held)}{at}, overhead {_gib(found.overhead)}")


def _longest(found: sizing.Sizing) -> str:
    return f"at most {found.largest:,} tokens fit" if found.largest else "no context fits"


def _has_fixed_cache(case: Case) -> bool:
    return engine.kv_cache_bytes(case.serve) is not None


def uncounted(case: Case) -> tuple[str, ...]:
    """Extra arguments that the sum knows nothing of."""
    return tuple(flag for flag in UNCOUNTED if asked.argument(case.serve, flag) is not None)


def larger_gpu(case: Case) -> Iterator[Fix]:
    """The smallest product that would do."""
    selector, weights = case.serve.spec.scheduling.node_selector, case.sizing.weights if case.sizing else 0
    for gpu in (gpu for gpu in catalog.GPUS if gpu.memory_bytes > weights):
        fix = Fix(_SELECTOR, json.dumps({**selector, asked.PRODUCT_LABEL: gpu.product}),
                  f"a GPU of {_gib(gpu.memory_bytes)} GiB and compute capability {gpu.capability_text}")
        if works(case, fix):
            yield fix
            return


def _fixes(case: Case, plan: sizing.Plan, found: sizing.Sizing) -> tuple[Fix, ...]:
    """The edits that would help, the least first."""
    return tuple(fix for fix in _candidates(case, plan, found) if works(case, fix))


def _candidates(case: Case, plan: sizing.Plan, found: sizing.Sizing) -> Iterator[Fix]:
    gpu = case.known.gpu
    if found.largest and found.largest < found.context:
        yield Fix("spec.engine.maxModelLen", str(found.largest), f"{found.largest} tokens fit")
    if _has_fixed_cache(case):
        yield Fix("spec.engine.kvCacheMemory", f"{_mib(found.request)}Mi", "one request takes as much")
    if gpu and (gpu.capability or 0) >= _FP8_CACHE_FAST and plan.setup.cache_bytes > 1:
        yield Fix("spec.engine.kvCacheDtype", "FP8", "the KV cache takes half the memory")
    model = catalog.find_model(case.serve.spec.model.source)
    for copy in catalog.siblings(model) if model else ():
        yield Fix("spec.model.source", f"hf://{copy.id}", "a quantized copy of the model")
    if case.room and gpu and case.serve.spec.resources.parallelism.tensor == engine.AUTO:
        ranks = sizing.smallest_tensor(plan, case.room, found.context)
        if ranks and ranks * plan.setup.pipeline <= MOST_GPUS:
            yield Fix("spec.resources.gpu.count", str(ranks * plan.setup.pipeline), "they share the weights")
    if gpu:
        yield from larger_gpu(case)
    if not case.on_gpu:
        least = max(4 * found.request, 2 * (found.weights + GIB))
        yield Fix("spec.resources.memory", f"{-(-least // GIB)}Gi", "a quarter of it is for the KV cache")


def works(case: Case, fix: Fix) -> bool:
    """Whether the edited resource fits by the sum alone, on a GPU that can run it."""
    known = case.known
    try:
        serve = edited(case.serve, [fix])
        if fix.field == "spec.model.source" and (copy := catalog.find_model(fix.value)):
            known = replace(known, config=copy.config, weights_bytes=copy.weights_bytes)
        if fix.field == _SELECTOR:
            known = replace(known, gpu=catalog.find_gpu(asked.product(serve) or ""))
        other = case_of(serve, known)
    except InvalidSpec:
        return False
    found = other.sizing
    can_run = not other.known.gpu or formats.capability_of(other) >= formats.needed_capability(other)
    return can_run and found is not None and (found.fits if other.room else found.request <= found.cache)


def _weights_alone(case: Case) -> Iterator[Finding]:
    """A model that cannot be sized, but whose files are larger than all memory there is."""
    files, room = case.known.weights_bytes, case.room
    if files and room and case.flag is None and files > case.ranks * room.total:
        yield Finding(Reason.DOES_NOT_FIT, (
            f"the weights alone are {_gib(files)} GiB, and {case.ranks} x {_gib(room.total)} GiB is all there is"))


def _gib(number: int) -> str:
    return f"{number / GIB:.1f}"


def _mib(number: int) -> int:
    """Rounded up, so that what is asked for is enough."""
    return -(-number // MIB)
