"""What devices, heads and the model's own context forbid, each with the nearest number that works.

Pure; checks of `verdict`.
"""

from collections.abc import Iterator
from dataclasses import replace

from deepseekserve import sizing
from deepseekserve.agent.reasons import Reason
from deepseekserve.engine import AUTO, gpu_count
from deepseekserve.facts import Finding, Fix
from deepseekserve.fits import asked, extras, memory
from deepseekserve.fits.case import Case, mended

_LONGER = "VLLM_ALLOW_LONG_MAX_MODEL_LEN"


def devices(case: Case) -> Iterator[Finding]:
    """More ranks than the pod has GPUs."""
    count = gpu_count(case.serve)
    if case.on_gpu and case.ranks > count:
        yield Finding(
            Reason.NOT_ENOUGH_DEVICES, f"{case.ranks} devices share the model, and the pod has {count}",
            fixes=(*_more(case), *_fewer(case, count)))


def batch(case: Case) -> Iterator[Finding]:
    """A step that has less tokens than requests, or than a prompt that must be computed in one."""
    engine = case.serve.spec.engine
    if case.context > (engine.max_num_batched_tokens or case.context) and not asked.is_chunked(case.serve):
        yield Finding(
            Reason.INVALID_ARGUMENT, (
                f"without chunked prefill a step must have room for {case.context} tokens, and has "
                f"{engine.max_num_batched_tokens}"),
            fixes=(Fix("spec.engine.maxNumBatchedTokens", str(case.context), "a whole prompt in one step"),))
    if engine.max_num_batched_tokens and (engine.max_num_seqs or 0) > engine.max_num_batched_tokens:
        yield Finding(
            Reason.INVALID_ARGUMENT,
            f"{engine.max_num_seqs} requests take a token each of a step, which has {engine.max_num_batched_tokens}",
            fixes=(Fix("spec.engine.maxNumSeqs", str(engine.max_num_batched_tokens), "a token for each"),))


def heads(case: Case) -> Iterator[Finding]:
    """A model that so many ranks cannot share."""
    plan = None if extras.is_reshaped(case.serve) else case.plan
    if plan and (problems := sizing.indivisible(plan.shape, plan.form, plan.setup)):
        said = problems[0] if len(problems) == 1 else f"{', '.join(problems[:-1])} and {problems[-1]}"
        yield Finding(Reason.TENSOR_PARALLEL_INDIVISIBLE, f"{said} cannot be divided by {plan.setup.tensor}")


def context(case: Case) -> Iterator[Finding]:
    """A context that the model itself does not have."""
    if case.plan is None:
        return
    shape = case.plan.shape
    longest = max(shape.context, shape.permitted, shape.older if asked.may_be_older(case.serve) else 0)
    if case.context <= longest:
        return
    said = {item.get("name"): str(item.get("value")).strip().lower() for item in case.serve.spec.engine.env}
    allowed = said.get(_LONGER) in ("1", "true")
    if not (allowed or extras.is_reshaped(case.serve)):
        yield Finding(
            Reason.CONTEXT_TOO_LONG,
            f"a context of {case.context} tokens is asked for, and the model's own is {longest}",
            fixes=(Fix("spec.engine.maxModelLen", str(longest), "the longest that the model allows"),))


def nearest(case: Case, plan: sizing.Plan) -> Iterator[Fix]:
    """The next smaller and the next larger number of ranks that can share the model, and hold it where that is known.

    With a number of ranks of its own, no more than the pod has GPUs for.
    """
    is_auto = case.serve.spec.resources.parallelism.tensor == AUTO
    most = (memory.MOST_GPUS if is_auto else gpu_count(case.serve)) // plan.setup.pipeline
    for order in (range(min(plan.setup.tensor - 1, most), 0, -1), range(plan.setup.tensor + 1, most + 1)):
        edits = (_ranks(case, number) for number in order if _divides(plan, number))
        if fix := next((edit for edit in edits if _holds(case, edit)), None):
            yield fix


def _more(case: Case) -> Iterator[Fix]:
    """As many GPUs as there are ranks, where the model can be divided by them."""
    if case.plan is None or _divides(case.plan, case.plan.setup.tensor):
        yield Fix("spec.resources.gpu.count", str(case.ranks), "one GPU for each")


def _fewer(case: Case, count: int) -> Iterator[Fix]:
    """As many ranks as there are GPUs for and the model can be divided by."""
    most = count // case.serve.spec.resources.parallelism.pipeline
    if number := next((n for n in range(most, 0, -1) if case.plan is None or _divides(case.plan, n)), None):
        yield _ranks(case, number)


def _ranks(case: Case, number: int) -> Fix:
    parallelism = case.serve.spec.resources.parallelism
    why = f"{number} ranks share each layer" if number > 1 else "one rank holds each layer"
    if parallelism.tensor == AUTO:
        return Fix("spec.resources.gpu.count", str(number * parallelism.pipeline), why)
    return Fix("spec.resources.parallelism.tensor", str(number), why)


def _divides(plan: sizing.Plan, tensor: int) -> bool:
    return not sizing.indivisible(plan.shape, plan.form, replace(plan.setup, tensor=tensor))


def _holds(case: Case, fix: Fix) -> bool:
    """Whether memory has nothing against it, as far as that is known."""
    other = mended(case, [fix])
    return other is not None and next(memory.memory(other), None) is None
