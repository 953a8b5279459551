"""Turns a verdict's case into the formulas of docs/sizing.md with its own numbers in them.

Pure; what `--explain` prints below a plan.
"""

from collections.abc import Iterable, Iterator

from deepseekserve import fits, sizing
from deepseekserve.sizing import working
from deepseekserve.sizing.cache import largest_stage
from deepseekserve.sizing.setup import Setup
from deepseekserve.sizing.shape import Layer, Shape, divided
from deepseekserve.sizing.weights import FLOAT_BYTES, fullest


def page(verdict: fits.Verdict) -> str:
    """The formulas; one line says why there are none."""
    case = verdict.case
    found, plan = case.sizing, case.plan
    if found is None or plan is None:
        return f"  no sum: {case.problem}\n"
    lines = ["formulas, in bytes of one rank (docs/sizing.md has their sources):", *_budget(case),
             *_weights(plan, found), *_working(plan.shape, plan.setup, found), *_cache(plan.shape, plan.setup, found)]
    return "".join(f"  {line}\n" for line in lines)


def _budget(case: fits.Case) -> Iterator[str]:
    if case.room is None:
        yield "budget       not known"
    elif case.room.cache is None:
        yield f"budget       {case.room.total:,} x {case.room.percent} % = {case.room.budget:,}"
    else:
        yield f"budget       {case.room.total:,}: the KV cache has a size of its own"


def _weights(plan: sizing.Plan, found: sizing.Sizing) -> Iterator[str]:
    shape, setup, size = plan.shape, plan.setup, FLOAT_BYTES[plan.setup.dtype]
    rows = divided(shape.padded_vocabulary, setup.tensor)
    number, first, last = fullest(shape, plan.form, setup)
    layers = shape.layers[first:last]
    yield f"weights      {_tables(plan, number)}: {rows:,} x {shape.hidden:,} x {size} = {rows * shape.hidden * size:,}"
    if setup.pipeline > 1:
        yield f"             stage {number + 1} of {setup.pipeline} has most: layers {first + 1} to {last}"
    for name, outputs, inputs, count in _matrices(layers, setup):
        each = f"{count} x {outputs:,} x {inputs:,}"
        yield f"             {name}: {each} = {count * outputs * inputs:,} numbers"
    kept = f"quantized by {plan.form.method}" if plan.form else f"{size} bytes each"
    yield f"             {kept}; as torch allocates them, on the fullest rank: {found.weights:,}"


def _tables(plan: sizing.Plan, stage: int) -> str:
    """What a stage has of the embedding and the head."""
    is_first, is_last = stage == 0, stage == plan.setup.pipeline - 1
    if is_first and is_last and not plan.setup.head:
        return "embedding, and no head for a pooling model"
    if is_first and is_last:
        return "embedding, which is the head too" if plan.shape.tied else "embedding, and as much for the head"
    return "embedding" if is_first else "head" if is_last else "none of the embedding and the head, which would be"


def _matrices(layers: Iterable[Layer], setup: Setup) -> Iterator[tuple[str, int, int, int]]:
    """Each kind of matrix with its share on a rank, and how many there are in these layers."""
    kinds: dict[tuple[str, int, int], int] = {}
    for layer in layers:
        for matrix in layer.matrices:
            key = (matrix.name, *matrix.share(setup.tensor))
            kinds[key] = kinds.get(key, 0) + matrix.count
    yield from ((*kind, count) for kind, count in kinds.items())


def _working(shape: Shape, setup: Setup, found: sizing.Sizing) -> Iterator[str]:
    if not setup.on_gpu:
        return
    rows = min(setup.sequences, setup.batched_tokens)
    forward = working.forward_bytes(shape, setup)
    copies = working.logits_copies(setup)
    logits = working.logits_bytes(rows * shape.vocabulary, copies)
    yield f"activations  a full batch: {setup.batched_tokens:,} tokens in the widest layer = {forward:,}"
    yield (f"             the sampler: {rows:,} requests x {shape.vocabulary:,} x 4 x {copies} = {logits:,}; "
           f"the larger counts: {found.activations:,}")
    graphs = "captured sizes x layers x 200 KiB" if setup.graphs else "none: enforceEager"
    if setup.version < working.ALL_COUNTED_SINCE:
        graphs = "beside the budget in this release"
    yield f"graphs       {graphs} = {found.graphs:,}"
    yield f"other        what is not torch's, and NCCL where there are several ranks = {found.other:,}"


def _cache(shape: Shape, setup: Setup, found: sizing.Sizing) -> Iterator[str]:
    first = shape.layers[0].cached
    heads = 1 if first.shared else -(-first.heads // setup.tensor)
    extra = f" + {first.extra}" if first.extra else ""
    each = f"({heads} x {first.elements} x {setup.cache_bytes}{extra})"
    layers = f"{len(largest_stage(shape, setup))} layers{' of the largest stage' if setup.pipeline > 1 else ''}"
    yield f"KV cache     {found.token:,} of a token: {each} in each of {layers}"
    yield f"             one request of {found.context:,} tokens, in blocks of {setup.block_tokens} = {found.request:,}"
    yield f"needed       {found.weights:,} + {found.overhead:,} + {found.held:,} = {found.needs:,}"
