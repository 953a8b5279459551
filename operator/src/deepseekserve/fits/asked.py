"""Turns a resource, its GPU and its model's shape into what sizing is asked about, defaults as the engine has them.

Pure; used by `case`.
"""

import re
from dataclasses import replace

from deepseekserve import catalog, engine, sizing
from deepseekserve.api import DeepSeekServe
from deepseekserve.catalog import Gpu
from deepseekserve.fits import extras
from deepseekserve.quantity import parse_quantity

ENGINE = tuple(int(part) for part in catalog.ENGINE.split("."))
# The project's own images, wherever they are mirrored: others of the same name number themselves.
_TAG = re.compile(r"(?:^|[.:][^/]*/|(?:^|/)vllm/)vllm-openai(?:-cpu)?:v?0\.(\d{1,4})(?:\.(\d{1,4}))?(?!\d)[^/]*$")
PRODUCT_LABEL = "nvidia.com/gpu.product"
# vLLM's config/model.py, _FLOAT16_NOT_SUPPORTED_MODELS: numerically unstable.
_NO_FLOAT16, _UNSTABLE_SINCE = {"gemma2", "gemma3", "gemma3_text"}, (0, 9, 1)
FALLS_BACK_SINCE = (0, 9)              # from bfloat16, on a GPU that has none
_CACHE_SCHEMES_SINCE = (0, 15)         # before, a checkpoint's own format of the KV cache had to be asked for
_GIB = 1 << 30
_CACHE_BYTES = {"Float16": 2, "BFloat16": 2, "FP8": 1, "FP8E4M3": 1, "FP8E5M2": 1}
# vLLM's engine/arg_utils.py, get_batch_defaults: memory and release from which on, requests at once, tokens of a step.
_DEFAULTS = ((160 * _GIB, (0, 31), 1024, 16384), (70 * _GIB, (0, 8), 1024, 8192), (0, (0,), 256, 2048))
_SMALL_A100_SINCE = (0, 9)
# Before, a prompt of so many tokens was one step; on GPUs before Ampere for two releases more.
_CHUNKED_SINCE, _CHUNKED_SINCE_ON_TURING, _CHUNKED_BEYOND = (0, 8), (0, 10), 32768
_CPU_DEFAULTS = (128, 2048)            # times the ranks


def dtype(serve: DeepSeekServe, shape: sizing.Shape, gpu: Gpu | None) -> str:
    """The number format that the engine computes in: as asked, else the checkpoint's, else the best that there is."""
    if serve.spec.engine.dtype != engine.AUTO:
        return engine.DTYPE[serve.spec.engine.dtype]
    best = ("bfloat16", "float16", "float32") if gpu is None or gpu.has_bfloat16 else ("float16", "float32")
    possible = [name for name in best if name != "float16" or not is_unstable(serve, shape)]
    return shape.dtype if shape.dtype in possible and shape.dtype != "float32" else possible[0]


def is_unstable(serve: DeepSeekServe, shape: sizing.Shape) -> bool:
    """Whether the engine does not compute the model in float16."""
    return shape.model_type in _NO_FLOAT16 and release(serve) >= _UNSTABLE_SINCE


def setup(
    serve: DeepSeekServe, shape: sizing.Shape, form: sizing.Format | None, gpu: Gpu | None,
) -> sizing.Setup:
    """How the engine will be set up; raises InvalidSpec where the resource contradicts itself."""
    judged_by = release(serve)
    asked, computed = serve.spec.engine, dtype(serve, shape, gpu)
    tensor, pipeline = engine.tensor_size(serve), serve.spec.resources.parallelism.pipeline
    on_gpu = asked.device != engine.CPU
    by_rank = tuple(tensor * pipeline * number for number in _CPU_DEFAULTS)
    sequences, tokens = _defaults(gpu, judged_by) if on_gpu else by_rank
    sequences, longest = asked.max_num_seqs or sequences, context(serve, shape)
    since = _CHUNKED_SINCE if gpu is None or gpu.has_bfloat16 else _CHUNKED_SINCE_ON_TURING
    is_unasked = extras.argument(serve, "--enable-chunked-prefill") is None
    is_whole = not is_chunked(serve) or (is_unasked and judged_by < since and longest <= _CHUNKED_BEYOND)
    tokens = max(tokens, longest) if is_whole else tokens
    in_fp8 = form is not None and form.fp8_cache and judged_by >= _CACHE_SCHEMES_SINCE
    usual_block = sizing.BLOCK_TOKENS if on_gpu else sizing.CPU_BLOCK_TOKENS
    block = extras.argument(serve, "--block-size") or ""
    return sizing.Setup(
        dtype=computed, tensor=tensor, pipeline=pipeline, on_gpu=on_gpu, graphs=not asked.enforce_eager,
        cache_bytes=_CACHE_BYTES.get(asked.kv_cache_dtype, 1 if in_fp8 else 4 if computed == "float32" else 2),
        sequences=sequences, batched_tokens=asked.max_num_batched_tokens or min(tokens, sequences * longest),
        block_tokens=int(block) if re.fullmatch("[1-9][0-9]{0,5}", block) else usual_block,
        whole_experts=extras.argument(serve, "--enable-expert-parallel") is not None,
        draft="mtp" in extras.speculation(serve), version=judged_by,
        head=not extras.is_pooling(serve),
    )


def room(serve: DeepSeekServe, gpu: Gpu | None) -> sizing.Room | None:
    """The memory of one device; on CPU what the pod may use; None when nobody has said."""
    cache, percent = engine.kv_cache_bytes(serve), serve.spec.engine.memory_utilization_percent
    if serve.spec.engine.device == engine.CPU:
        limit = serve.spec.resources.memory
        return sizing.Room(int(parse_quantity(limit)), 100, cache) if limit else None
    used = engine.MEMORY_UTILIZATION_PERCENT if percent is None else percent
    return sizing.Room(gpu.memory_bytes, used, cache) if gpu else None


def context(serve: DeepSeekServe, shape: sizing.Shape) -> int:
    """The context that is asked for; Auto is what the engine takes unasked."""
    asked = serve.spec.engine.max_model_len
    return shape.usual if asked == engine.AUTO else int(asked)


def is_chunked(serve: DeepSeekServe) -> bool:
    """Whether a prompt may be computed in several steps; else a step must have room for the longest."""
    return extras.argument(serve, "--no-enable-chunked-prefill") is None


def version(serve: DeepSeekServe) -> tuple[int, ...] | None:
    """Of vLLM, as the tag of the engine's image says it; None for an image whose tag says something else."""
    return _said(serve.spec.engine.image) if serve.spec.engine.image else ENGINE


def with_image(serve: DeepSeekServe, default: str) -> DeepSeekServe:
    """The resource with the image that it gets unasked, if the tag says another release than that of the tables.

    An image whose tag says none was chosen by who runs the operator, and is taken for what the operator knows.
    """
    if serve.spec.engine.image or _said(default) in {None, ENGINE}:
        return serve
    image = serve.spec.engine.model_copy(update={"image": default})
    return replace(serve, spec=serve.spec.model_copy(update={"engine": image}))


def release(serve: DeepSeekServe) -> tuple[int, ...]:
    """The release that the resource is judged by: where its image says none, that of the tables."""
    return version(serve) or ENGINE


def may_be_older(serve: DeepSeekServe) -> bool:
    """Whether the engine may be of a release before the one that the tables were made from."""
    return version(serve) is None or release(serve) < ENGINE


def product(serve: DeepSeekServe) -> str | None:
    """The GPU that the resource itself asks for, by its label."""
    return serve.spec.scheduling.node_selector.get(PRODUCT_LABEL)


def _said(image: str) -> tuple[int, ...] | None:
    tag = _TAG.search(image)
    return (0, int(tag[1]), int(tag[2] or 0)) if tag else None


def _defaults(gpu: Gpu | None, judged_by: tuple[int, ...]) -> tuple[int, ...]:
    """Requests at once and tokens of a step; an A100 has those of a smaller GPU, whatever its memory."""
    is_small = gpu is None or ("A100" in gpu.product and judged_by >= _SMALL_A100_SINCE)
    memory = 0 if gpu is None or is_small else gpu.memory_bytes
    return next((sequences, tokens) for least, since, sequences, tokens in _DEFAULTS
                if memory >= least and judged_by >= since)
