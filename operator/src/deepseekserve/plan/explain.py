"""Turns a verdict's case into the formulas of docs/sizing.md with its own numbers in them.

Pure; what `--explain` prints below a plan.
"""

from collections.abc import Iterator

from deepseekserve import fits, sizing
from deepseekserve.sizing import working
from deepseekserve.sizing.setup import Setup
from deepseekserve.sizing.shape import Shape
from deepseekserve.sizing.weights import FLOAT_BYTES


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
    rows = shape.padded_vocabulary // setup.tensor
    tables = "embedding, which is the head too" if shape.tied else "embedding, and as much for the head"
    yield f"weights      {tables}: {rows:,} x {shape.hidden:,} x {size} = {rows * shape.hidden * size:,}"
    for name, outputs, inputs, count in _matrices(shape, setup):
        each = f"{count} x {outputs:,} x {inputs:,}"
        yield f"             {name}: {each} = {count * outputs * inputs:,} numbers"
    kept = f"quantized by {plan.form.method}" if plan.form else f"{size} bytes each"
    yield f"             {kept}; as torch allocates them, on the fullest rank: {found.weights:,}"


def _matrices(shape: Shape, setup: Setup) -> Iterator[tuple[str, int, int, int]]:
    """Each kind of matrix with its share on a rank, and how many there are in all layers."""
    kinds: dict[tuple[str, int, int], int] = {}
    for layer in shape.layers:
        for matrix in layer.matrices:
            key = (matrix.name, *matrix.share(setup.tensor))
            kinds[key] = kinds.get(key, 0) + matrix.count
    yield from ((*kind, count) for kind, count in kinds.items())


def _working(shape: Shape, setup: Setup, found: sizing.Sizing) -> Iterator[str]:
    if not setup.on_gpu:
        return
    rows = min(setup.sequences, setup.batched_tokens)
    forward = working.forward_bytes(shape, setup)
    logits = working.logits_bytes(rows * shape.vocabulary, working.LOGITS_COPIES)
    yield f"activations  a full batch: {setup.batched_tokens:,} tokens in the widest layer = {forward:,}"
    yield (f"             the sampler: {rows:,} requests x {shape.vocabulary:,} x 4 x {working.LOGITS_COPIES} = "
           f"{logits:,}; the larger counts: {found.activations:,}")
    graphs = "captured sizes x layers x 200 KiB" if setup.graphs else "none: enforceEager"
    yield f"graphs       {graphs} = {found.graphs:,}"
    yield f"other        what is not torch's, and NCCL where there are several ranks = {found.other:,}"


def _cache(shape: Shape, setup: Setup, found: sizing.Sizing) -> Iterator[str]:
    first = shape.layers[0].cached
    heads = 1 if first.shared else -(-first.heads // setup.tensor)
    extra = f" + {first.extra}" if first.extra else ""
    each = f"({heads} x {first.elements} x {setup.cache_bytes}{extra})"
    yield f"KV cache     {found.token:,} of a token: {each} in each of {len(shape.layers)} layers"
    yield f"             one request of {found.context:,} tokens, in blocks of {setup.block_tokens} = {found.request:,}"
    yield f"needed       {found.weights:,} + {found.overhead:,} + {found.held:,} = {found.needs:,}"
