"""Turns a model's config.json and an engine's setup into bytes: weights, KV cache, the rest, and what fits a GPU.

    reading, formats   config.json -> Shape, Format (families: what each architecture is; NotSizedError: not known)
    lengths            the contexts that a model allows
    weights            what the fullest rank holds
    cache              what a token and a request take, the longest that fits
    working            activations, graphs, what is not torch's
    sizes              all of it against the memory of a GPU

Pure, and integers throughout. docs/sizing.md has the formulas, and what real logs say of them.
"""

from deepseekserve.sizing.cache import capacity, largest_context, request_bytes, token_bytes
from deepseekserve.sizing.formats import Format, method_of, read_format
from deepseekserve.sizing.reading import read_shape
from deepseekserve.sizing.setup import BLOCK_TOKENS, CPU_BLOCK_TOKENS, Setup
from deepseekserve.sizing.shape import DamagedConfigError, NotSizedError, Shape
from deepseekserve.sizing.sizes import MARGIN_PERCENT, Plan, Room, Sizing, size, smallest_tensor
from deepseekserve.sizing.weights import checkpoint_bytes, indivisible, weights_bytes

__all__ = [
    "BLOCK_TOKENS", "CPU_BLOCK_TOKENS", "MARGIN_PERCENT", "DamagedConfigError", "Format",
    "NotSizedError", "Plan", "Room", "Setup", "Shape", "Sizing", "capacity", "checkpoint_bytes",
    "indivisible", "largest_context", "method_of", "read_format", "read_shape", "request_bytes",
    "size", "smallest_tensor", "token_bytes", "weights_bytes",
]
