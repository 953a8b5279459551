"""Turns each Auto of a resource that the sum can decide into the number that it decides for.

Pure; before `judge` looks at anything. Where too little is known an Auto stays one, and the engine decides.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from deepseekserve import engine, sizing
from deepseekserve.api import DeepSeekServe
from deepseekserve.fits.case import Case, Known, case_of

_NUMBER = re.compile("[1-9][0-9]{0,8}")


def decided(serve: DeepSeekServe, known: Known) -> DeepSeekServe:
    """With the fewest ranks that hold the context, and the longest context that is sure to fit.

    Where no number of ranks holds the model's own context, the most that there are hold what they can. Nothing is
    decided where none holds the context that is asked for, nor where the model cannot be divided by the GPUs that there
    are: one of them could never work.
    """
    cases = [case_of(_with_ranks(serve, ranks), known) for ranks in _ranks(serve)]
    possible = [case for case in cases if case.plan and case.has_limit and not _is_divided_badly(case.plan)]
    if not possible or possible[-1] is not cases[-1]:
        return serve
    case = next((case for case in possible if case.sizing and case.sizing.fits), possible[-1])
    context = _longest(case)
    return _with_context(case.serve, context) if context else serve


def as_started(serve: DeepSeekServe, arguments: Sequence[str]) -> DeepSeekServe:
    """With the numbers that an engine was started with, whatever would be decided today."""
    context = engine.value_of(arguments, "--max-model-len") or ""
    ranks = engine.value_of(arguments, "--tensor-parallel-size") or ""
    if serve.spec.engine.max_model_len == engine.AUTO and _NUMBER.fullmatch(context):
        serve = _with_context(serve, int(context))
    if serve.spec.resources.parallelism.tensor == engine.AUTO and _NUMBER.fullmatch(ranks):
        serve = _with_ranks(serve, int(ranks))
    return serve


def _ranks(serve: DeepSeekServe) -> Iterator[int]:
    parallelism = serve.spec.resources.parallelism
    if parallelism.tensor != engine.AUTO or serve.spec.engine.device == engine.CPU:
        yield engine.tensor_size(serve)
    else:
        yield from range(1, engine.tensor_size(serve) + 1)


def _with_ranks(serve: DeepSeekServe, ranks: int) -> DeepSeekServe:
    """The resource as it is where that means so many already, so that it can still be told to have more GPUs."""
    if engine.tensor_size(serve) == ranks:
        return serve
    resources = serve.spec.resources
    parallelism = resources.parallelism.model_copy(update={"tensor": ranks})
    spec = serve.spec.model_copy(update={"resources": resources.model_copy(update={"parallelism": parallelism})})
    return replace(serve, spec=spec)


def _with_context(serve: DeepSeekServe, context: int) -> DeepSeekServe:
    asked = serve.spec.engine.model_copy(update={"max_model_len": context})
    return replace(serve, spec=serve.spec.model_copy(update={"engine": asked}))


def _longest(case: Case) -> int:
    """The context, or the part of it that fits though the sum be as wrong as it ever was; 0 for none."""
    plan, found = case.plan, case.sizing
    is_asked = case.serve.spec.engine.max_model_len != engine.AUTO
    if plan is None or found is None or (is_asked and not found.fits):
        return 0
    if found.fits:
        return case.context
    spare = case.room.margin if case.room and case.room.cache is None else 0
    return min(case.context, sizing.largest_context(plan.shape, plan.setup, found.cache - spare))


def _is_divided_badly(plan: sizing.Plan) -> bool:
    return bool(sizing.indivisible(plan.shape, plan.form, plan.setup))


def told(serve: DeepSeekServe, case: Case) -> Iterator[str]:
    """What a number in place of an Auto costs, where it costs something."""
    if case.plan is None or case.serve is serve:
        return
    longest, count = case.plan.shape.usual, engine.gpu_count(serve)
    if serve.spec.engine.max_model_len == engine.AUTO and case.context < longest:
        yield f"maxModelLen Auto is {case.context:,} tokens here: the model's own {longest:,} do not fit"
    if serve.spec.resources.parallelism.tensor == engine.AUTO and case.on_gpu and case.ranks < count:
        idle = f"{count - case.ranks} of {count} GPUs have nothing to do"
        yield f"tensor Auto is {case.plan.setup.tensor} here, and {idle}"
