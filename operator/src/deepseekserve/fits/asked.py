"""Turns a resource, its GPU and its model's shape into what sizing is asked about, defaults as the engine has them.

Pure; used by `case`.
"""

import re

from deepseekserve import catalog, engine, sizing
from deepseekserve.api import DeepSeekServe
from deepseekserve.catalog import Gpu
from deepseekserve.fits import extras
from deepseekserve.quantity import parse_quantity

PRODUCT_LABEL = "nvidia.com/gpu.product"
# vLLM's config/model.py, _FLOAT16_NOT_SUPPORTED_MODELS: numerically unstable.
NO_FLOAT16 = {"gemma2", "gemma3", "gemma3_text"}
_GIB = 1 << 30
_CACHE_BYTES = {"Float16": 2, "BFloat16": 2, "FP8": 1, "FP8E4M3": 1, "FP8E5M2": 1}
# vLLM's engine/arg_utils.py, get_batch_defaults: memory from which on, requests at once, tokens of a step.
_DEFAULTS = ((160 * _GIB, 1024, 16384), (70 * _GIB, 1024, 8192), (0, 256, 2048))
_CPU_DEFAULTS = (128, 2048)            # times the ranks


def dtype(serve: DeepSeekServe, shape: sizing.Shape, gpu: Gpu | None) -> str:
    """The number format that the engine computes in: as asked, else the checkpoint's, else the best that there is."""
    if serve.spec.engine.dtype != engine.AUTO:
        return engine.DTYPE[serve.spec.engine.dtype]
    best = ("bfloat16", "float16", "float32") if gpu is None or gpu.has_bfloat16 else ("float16", "float32")
    possible = [name for name in best if name != "float16" or shape.model_type not in NO_FLOAT16]
    return shape.dtype if shape.dtype in possible and shape.dtype != "float32" else possible[0]


def setup(serve: DeepSeekServe, shape: sizing.Shape, gpu: Gpu | None) -> sizing.Setup:
    """How the engine will be set up; raises InvalidSpec where the resource contradicts itself."""
    asked, computed = serve.spec.engine, dtype(serve, shape, gpu)
    tensor, pipeline = engine.tensor_size(serve), serve.spec.resources.parallelism.pipeline
    on_gpu = asked.device != engine.CPU
    sequences, tokens = _defaults(gpu) if on_gpu else tuple(tensor * pipeline * number for number in _CPU_DEFAULTS)
    sequences, longest = asked.max_num_seqs or sequences, context(serve, shape)
    tokens = tokens if is_chunked(serve) else max(tokens, longest)
    usual_block = sizing.BLOCK_TOKENS if on_gpu else sizing.CPU_BLOCK_TOKENS
    block = extras.argument(serve, "--block-size") or ""
    return sizing.Setup(
        dtype=computed, tensor=tensor, pipeline=pipeline, on_gpu=on_gpu, graphs=not asked.enforce_eager,
        cache_bytes=_CACHE_BYTES.get(asked.kv_cache_dtype, 4 if computed == "float32" else 2),
        sequences=sequences, batched_tokens=asked.max_num_batched_tokens or min(tokens, sequences * longest),
        block_tokens=int(block) if re.fullmatch("[1-9][0-9]{0,5}", block) else usual_block,
        whole_experts=extras.argument(serve, "--enable-expert-parallel") is not None,
        draft="mtp" in extras.speculation(serve),
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


def is_older(serve: DeepSeekServe) -> bool:
    """Whether the resource names an engine's image that is older than what the tables were made from."""
    tag = re.search(r":v?(\d+)\.(\d+)", serve.spec.engine.image or "")
    major, minor = catalog.ENGINE.split(".")[:2]
    return tag is not None and (int(tag[1]), int(tag[2])) < (int(major), int(minor))


def product(serve: DeepSeekServe) -> str | None:
    """The GPU that the resource itself asks for, by its label."""
    return serve.spec.scheduling.node_selector.get(PRODUCT_LABEL)


def _defaults(gpu: Gpu | None) -> tuple[int, ...]:
    """Requests at once and tokens of a step; an A100 has those of a smaller GPU, whatever its memory."""
    memory = 0 if gpu is None or "A100" in gpu.product else gpu.memory_bytes
    return next((sequences, tokens) for least, sequences, tokens in _DEFAULTS if memory >= least)
