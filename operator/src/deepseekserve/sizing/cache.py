"""Turns a Shape into bytes of KV cache: of a token, of a request, and how many tokens a memory holds.

Pure. The rules are vLLM's: pages and windows as in v1/kv_cache_interface.py, groups and capacity as in
v1/core/kv_cache_utils.py, KV heads of a rank as in config/model.py (get_num_kv_heads).
"""

from bisect import bisect_right
from collections.abc import Sequence

from deepseekserve.sizing.setup import Setup
from deepseekserve.sizing.shape import Cached, Layer, Shape, divided
from deepseekserve.sizing.weights import stages

_STEPS_IN_FLIGHT = 2               # asynchronous scheduling; their tokens count beyond a sliding window
_UNUSED_BLOCKS = 1                 # v1/core/block_pool.py keeps the first one empty
_WINDOWS_SINCE = (0, 8)            # before, each layer was kept as if it looked at all
_GROUPED_SINCE = (0, 9, 1)         # before, it was counted so
_REQUESTS_COUNTED_SINCE = (0, 22)  # before, the pool was counted as if each group took as much of it
_FEW_MORE = 3                      # groups are as large as the larger kind when that is less than 3/2 of the smaller


def token_bytes(shape: Shape, setup: Setup) -> int:
    """Bytes that one token takes on a rank, as long as no window forgets it."""
    return sum(_token(layer.cached, setup) for layer in largest_stage(shape, setup))


def request_bytes(shape: Shape, setup: Setup, tokens: int) -> int:
    """Bytes that one request of so many tokens takes on a rank."""
    return _blocks(shape, setup, tokens) * _block_bytes(shape, setup)


def capacity(shape: Shape, setup: Setup, memory: int, *, context: int) -> int:
    """Tokens that the engine says its cache holds: requests of the whole context, times the context."""
    if setup.version < _GROUPED_SINCE:
        return max(memory, 0) // (setup.block_tokens * token_bytes(shape, setup)) * setup.block_tokens
    blocks = max(memory, 0) // _block_bytes(shape, setup)
    if setup.version < _REQUESTS_COUNTED_SINCE:
        return blocks // sum(_groups(shape, setup)) * setup.block_tokens
    return blocks * context // _blocks(shape, setup, context)


def largest_context(shape: Shape, setup: Setup, memory: int) -> int:
    """The longest request that the memory holds, in whole blocks, and no longer than the model allows; 0 for none."""
    blocks = memory // _block_bytes(shape, setup) - _UNUSED_BLOCKS
    lengths = range(setup.block_tokens, shape.context + 1, setup.block_tokens)
    found = bisect_right(lengths, blocks, key=lambda tokens: _blocks(shape, setup, tokens))
    return lengths[found - 1] if found else 0


def _blocks(shape: Shape, setup: Setup, tokens: int) -> int:
    """Blocks of one request: each group of layers takes its own of the common pool."""
    size = setup.block_tokens
    whole, limited = _groups(shape, setup)
    total = whole * divided(tokens, size)
    if limited:
        window = max(layer.cached.window or 0 for layer in largest_stage(shape, setup))
        in_flight = max(_STEPS_IN_FLIGHT, setup.pipeline) * setup.batched_tokens
        total += limited * (divided(min(window - 1 + in_flight, tokens), size) + 1)
    return total


def _block_bytes(shape: Shape, setup: Setup) -> int:
    return setup.block_tokens * _group(*_kinds(shape, setup)) * max(
        _token(layer.cached, setup) for layer in largest_stage(shape, setup))


def _groups(shape: Shape, setup: Setup) -> tuple[int, int]:
    """How many groups there are of layers that look at all, and of those with a window."""
    whole, limited = _kinds(shape, setup)
    group = _group(whole, limited)
    return divided(whole, group), divided(limited, group)


def _kinds(shape: Shape, setup: Setup) -> tuple[int, int]:
    """How many layers look at all, and how many have a window."""
    layers = largest_stage(shape, setup)
    limited = sum(1 for layer in layers if layer.cached.window) if setup.version >= _WINDOWS_SINCE else 0
    return len(layers) - limited, limited


def _group(whole: int, limited: int) -> int:
    """Layers of a group, all of one kind; a kind with fewer is padded."""
    few, many = sorted((whole, limited))
    return many if few == 0 or 2 * many < _FEW_MORE * few else few


def _token(cached: Cached, setup: Setup) -> int:
    heads = cached.heads if cached.shared else divided(cached.heads, setup.tensor)
    return heads * cached.elements * setup.cache_bytes + cached.extra


def largest_stage(shape: Shape, setup: Setup) -> Sequence[Layer]:
    """The layers of the stage that caches most."""
    counts = stages(len(shape.layers), setup.pipeline)
    most = counts.index(max(counts))
    first = sum(counts[:most])
    layers = shape.layers[first:first + counts[most]] or shape.layers[:1]
    return (*layers, shape.draft) if shape.draft and setup.draft else layers
