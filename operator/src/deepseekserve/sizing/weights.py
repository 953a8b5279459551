"""Turns a Shape and a Format into the bytes of weights on the fullest rank.

Pure. Sources are vLLM's: tensors as in model_executor/models, shares as in model_executor/layers/linear.py, stages as
in distributed/utils.py (get_pp_indices), the table of rotations as in layers/rotary_embedding.
"""

from collections.abc import Iterator, Sequence
from math import gcd

from deepseekserve.sizing.allocator import allocated
from deepseekserve.sizing.formats import Format
from deepseekserve.sizing.setup import Setup
from deepseekserve.sizing.shape import Layer, Matrix, Shape, divided

FLOAT_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}
_REFINED_SINCE, _LEAST_TILE = (0, 31), 32
_KEPT_TWICE = "kv_b_proj"              # MLA: vLLM keeps a dequantized copy (mla_attention.py, split_kv_b_proj)
# Matrices that vLLM keeps as one tensor.
_FUSED = {"q_proj": "qkv", "k_proj": "qkv", "v_proj": "qkv", "gate_proj": "gate_up", "up_proj": "gate_up",
          "q_a_proj": "qkv_a", "kv_a_proj_with_mqa": "qkv_a"}


def weights_bytes(shape: Shape, form: Format | None, setup: Setup) -> int:
    """Bytes on the rank that has most: the fullest of the stages of pipeline parallelism."""
    return max(allocated(_stage(shape, form, setup, place)) for place in places(shape, setup))


def fullest(shape: Shape, form: Format | None, setup: Setup) -> tuple[int, int, int]:
    """The stage of which `weights_bytes` tells: its number, its first layer and the one behind its last."""
    return max(places(shape, setup), key=lambda place: allocated(_stage(shape, form, setup, place)))


def places(shape: Shape, setup: Setup) -> Iterator[tuple[int, int, int]]:
    """All stages: their numbers, first layers and the ones behind their last."""
    first = 0
    for number, count in enumerate(stages(len(shape.layers), setup.pipeline)):
        yield number, first, first + count
        first += count


def checkpoint_bytes(shape: Shape, form: Format | None) -> int:
    """Bytes of all weights in the files, the draft layer with its own copies of table and head included."""
    alone = Setup(dtype=shape.dtype)
    size = FLOAT_BYTES[shape.dtype]
    table = shape.vocabulary * shape.hidden * size
    vectors = shape.final + shape.positions * shape.hidden + (shape.vocabulary if shape.head_bias else 0)
    blocks = [*shape.layers, *([shape.draft] if shape.draft else [])]
    inside = sum(sum(_tensors(layer, index, form, alone, copies=False)) for index, layer in enumerate(blocks))
    tower = sum(sum(_pieces(matrix, matrix.name, None, alone)) for matrix in shape.tower)
    return inside + tower + vectors * size + table * ((1 if shape.tied else 2) + (2 if shape.draft else 0))


def stages(layers: int, pipeline: int) -> list[int]:
    """How many layers each stage gets: what is left over goes to those before the last."""
    each, rest = divmod(layers, pipeline)
    return [each + (1 if 0 < pipeline - 1 - index <= rest else 0) for index in range(pipeline)]


def indivisible(shape: Shape, form: Format | None, setup: Setup) -> Sequence[str]:
    """What the ranks cannot share, each as a phrase with its number; empty where they can share all.

    Experts need not be divided where each rank takes whole ones.
    """
    tensor = setup.tensor
    problems = [f"{shape.heads} attention heads"] if shape.heads % tensor else []
    if shape.kv_heads > 1 and shape.kv_heads % tensor and tensor % shape.kv_heads:
        problems.append(f"{shape.kv_heads} KV heads")
    if shape.padded_vocabulary % tensor:
        problems.append(f"a vocabulary of {shape.padded_vocabulary} rows")
    inner = {(matrix.outputs, ".experts." in matrix.name) for layer in shape.layers for matrix in layer.matrices
             if "up_proj" in matrix.name}
    for size, is_expert in sorted(inner):
        tile = _tile(shape, form, setup, size if is_expert else 0) if form else 1
        if size % (tensor * tile) and not (is_expert and setup.whole_experts):
            problems.append(f"an inner size of {size}{f' in blocks of {tile}' if tile > 1 else ''}")
    return problems


def _tile(shape: Shape, form: Format, setup: Setup, expert: int) -> int:
    """Outputs, or inputs, that share a scale, and so must be on one rank.

    Of an expert's inner size the engine makes smaller ones, down to 32, where the checkpoint's own do not suit: of
    AWQ and GPTQ (quantization/moe_wna16.py), and of FP8 in blocks (fused_moe/oracle/fp8.py).
    """
    tile = max([size for size in (form.rows, form.columns) if size < shape.hidden], default=1)
    is_refined = form.method in ("awq", "gptq") or (form.method == "fp8" and setup.version >= _REFINED_SINCE)
    finer = gcd(tile, expert // setup.tensor, shape.hidden) if expert and is_refined else tile
    return finer if finer >= _LEAST_TILE else tile


def _stage(shape: Shape, form: Format | None, setup: Setup, place: tuple[int, int, int]) -> Iterator[int]:
    """Tensors of a stage, in the order in which they are made; `place`: its number, first and last layer."""
    size, (number, first, last) = FLOAT_BYTES[setup.dtype], place
    table = divided(shape.padded_vocabulary, setup.tensor) * shape.hidden * size
    is_last = number == setup.pipeline - 1
    if number == 0:
        for matrix in shape.tower:
            yield from _pieces(matrix, matrix.name, None, setup)
        yield from (table, shape.positions * shape.hidden * size)
    yield shape.rope_elements * size
    made: dict[tuple[int, int], tuple[int, ...]] = {}
    for index in range(first, last):
        layer = shape.layers[index]
        key = (id(layer), index if form and form.ignored else 0)       # a layer's number matters to exceptions alone
        if key not in made:
            made[key] = tuple(_tensors(layer, index, form, setup))
        yield from made[key]
    if is_last:
        yield from (shape.final * size, divided(shape.vocabulary, setup.tensor) * size if shape.head_bias else 0)
        yield 0 if (number == 0 and shape.tied) or not setup.head else table
        if shape.draft and setup.draft:
            yield from _tensors(shape.draft, len(shape.layers), form, setup)


def _tensors(layer: Layer, index: int, form: Format | None, setup: Setup, *, copies: bool = True) -> Iterator[int]:
    """Tensors of one layer, as vLLM fuses them."""
    yield layer.vectors * FLOAT_BYTES[setup.dtype]
    fused: dict[tuple[str, int], int] = {}
    for matrix in layer.matrices:
        name = f"model.layers.{index}.{matrix.name}"
        place, _, last = name.rpartition(".")
        for kind, piece in enumerate(_pieces(matrix, name, form, setup)):
            key = (f"{place}.{_FUSED.get(last, last)}", kind)
            fused[key] = fused.get(key, 0) + piece
        if copies and last == _KEPT_TWICE and form is not None and form.touches(name):
            yield sum(_pieces(matrix, name, None, setup))
    yield from fused.values()


def _pieces(matrix: Matrix, name: str, form: Format | None, setup: Setup) -> tuple[int, ...]:
    """The weight and its bias, or its scales, zero points and bias."""
    outputs, inputs = matrix.share(setup.tensor)
    size = FLOAT_BYTES[setup.dtype]
    is_quantized = form is not None and not matrix.plain and form.touches(name)
    held = form.pieces(outputs, inputs) if form is not None and is_quantized else (outputs * inputs * size,)
    return tuple(matrix.count * piece for piece in (*held, outputs * size if matrix.bias else 0))
