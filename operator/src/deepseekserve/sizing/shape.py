"""The shape of a model as values: its matrices, how ranks share them, and what each layer caches of a token.

Pure; `reading` makes a Shape of config.json, `weights`, `cache` and `working` add it up.
"""

from dataclasses import dataclass
from enum import Enum

VOCABULARY_PADDING = 64            # vllm/model_executor/layers/vocab_parallel_embedding.py, DEFAULT_VOCAB_PADDING_SIZE


class NotSizedError(Exception):
    """The formulas do not know this architecture or format: nothing is said of it, rather than a guess."""


class DamagedConfigError(Exception):
    """config.json lacks a field that its architecture needs, or has a value there that cannot be."""


class Split(Enum):
    """How the ranks of tensor parallelism share a matrix."""

    OUTPUTS = "outputs"
    INPUTS = "inputs"
    HEADS = "heads"                # whole KV heads; where there are fewer than ranks, several ranks hold the same
    NONE = "none"                  # every rank holds all of it


@dataclass(frozen=True)
class Matrix:
    """One weight, or `count` of the same size; `name` is that of config.json's lists of what is not quantized."""

    name: str
    outputs: int
    inputs: int
    split: Split = Split.OUTPUTS
    heads: int = 1
    count: int = 1
    bias: bool = False
    plain: bool = False            # no quantization touches it

    def share(self, tensor: int) -> tuple[int, int]:
        """Outputs and inputs that one of `tensor` ranks holds."""
        if self.split is Split.OUTPUTS:
            return divided(self.outputs, tensor), self.inputs
        if self.split is Split.INPUTS:
            return self.outputs, divided(self.inputs, tensor)
        if self.split is Split.HEADS:
            return self.outputs // self.heads * divided(self.heads, tensor), self.inputs
        return self.outputs, self.inputs


@dataclass(frozen=True)
class Cached:
    """What one layer keeps of each token: `elements` numbers for each of `heads`, and `extra` bytes."""

    heads: int
    elements: int
    window: int | None = None      # tokens that a sliding window looks back; None: all
    extra: int = 0
    shared: bool = False           # MLA: one vector for all heads, whole on every rank


@dataclass(frozen=True)
class Layer:
    """One block of the model."""

    matrices: tuple[Matrix, ...]
    vectors: int                   # elements of norms and the like, on every rank
    cached: Cached


@dataclass(frozen=True)
class Shape:
    """A whole model."""

    architecture: str
    model_type: str
    dtype: str                     # of the checkpoint, as config.json says
    layers: tuple[Layer, ...]
    hidden: int
    vocabulary: int
    heads: int
    kv_heads: int                  # 1 for MLA, whose cache is not divided
    context: int                   # the longest that the model itself allows
    usual: int                     # the one that the engine takes unasked
    permitted: int                 # more that may be asked for: config.json's model_max_length; 0 without it
    older: int                     # what older engines derive from YaRN's factor; 0: the same
    tied: bool                     # the head is the embedding
    head_bias: bool = False
    final: int = 0                 # elements of the last norm
    positions: int = 0             # rows of a learned table of positions
    rope_elements: int = 0         # of the table of rotations, which is made while loading
    widest: int = 0                # of the layers' inner sizes that ranks share
    expert: int = 0                # inner size of one expert
    visits: int = 0                # experts that one token visits
    draft: Layer | None = None     # multi-token prediction: loaded only for speculative decoding
    tower: tuple[Matrix, ...] = ()  # a vision tower

    @property
    def padded_vocabulary(self) -> int:
        """Rows of the table that are held, over all ranks."""
        return divided(self.vocabulary, VOCABULARY_PADDING) * VOCABULARY_PADDING


def divided(number: int, parts: int) -> int:
    """The larger part where there is a rest."""
    return -(-number // parts)
