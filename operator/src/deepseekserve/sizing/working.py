"""Turns a Shape into what an engine takes besides weights and cache: activations, graphs, what is not torch's.

Pure. The first two follow vLLM's profiling run; what the constants come from is in docs/sizing.md.
"""

from deepseekserve.sizing.setup import Setup
from deepseekserve.sizing.shape import Shape, divided
from deepseekserve.sizing.weights import FLOAT_BYTES, stages

MIB = 1 << 20
LOGITS_COPIES = 4                  # of the logits in 32 bits: in 16, in 32, probabilities, noise (v1/sample)
SORTING_COPIES = 7                 # the same of a sampler that sorts them
SORTED_BEFORE = (0, 17)
GRAPH_BYTES = 200 * 1024           # of one captured graph, per layer: within what logs since 0.17 say
OTHER_BYTES = 1000 * MIB           # CUDA's modules, workspaces of libraries, memory that torch holds unused
OTHER_BYTES_BEFORE = 200 * MIB     # what was counted of it until all that is missing from the free memory was
ALL_COUNTED_SINCE = (0, 21)        # the graphs too, which were captured beside the share of memory before
RANKS_BYTES = 600 * MIB            # NCCL's buffers, where there are several ranks: as one log of four ranks states
_LOGIT_BYTES = 4
_MOST_CAPTURED = 512               # vllm/config/vllm.py, _set_cudagraph_sizes


def activation_bytes(shape: Shape, setup: Setup) -> int:
    """The peak of the profiling run: the widest layer with a full batch, or the sampler with all requests."""
    rows = min(setup.sequences, setup.batched_tokens)
    logits = logits_bytes(rows * shape.vocabulary, logits_copies(setup))
    return setup.on_gpu * max(forward_bytes(shape, setup), logits)


def forward_bytes(shape: Shape, setup: Setup) -> int:
    """Input and output of the widest layer, and what is between them, for each token of a batch."""
    expert = divided(shape.expert, setup.tensor)
    inner = max(3 * divided(shape.widest, setup.tensor), shape.visits * (max(2 * expert, shape.hidden) + expert))
    return setup.batched_tokens * (2 * shape.hidden + inner) * FLOAT_BYTES[setup.dtype]


def logits_copies(setup: Setup) -> int:
    """How many times the sampler has the logits."""
    return SORTING_COPIES if setup.version < SORTED_BEFORE else LOGITS_COPIES


def logits_bytes(logits: int, copies: int) -> int:
    """The logits of one step and what the sampler makes of them."""
    return logits * _LOGIT_BYTES * copies


def graph_bytes(shape: Shape, setup: Setup) -> int:
    """The captured graphs: batches of mixed length to twice the requests, of single tokens to their number."""
    if not (setup.on_gpu and setup.graphs and setup.version >= ALL_COUNTED_SINCE):
        return 0
    captured = _sizes(2 * setup.sequences) + _sizes(setup.sequences)
    return captured * max(stages(len(shape.layers), setup.pipeline)) * GRAPH_BYTES


def other_bytes(setup: Setup) -> int:
    """What torch does not count."""
    alone = OTHER_BYTES if setup.version >= ALL_COUNTED_SINCE else OTHER_BYTES_BEFORE
    return setup.on_gpu * (alone + (RANKS_BYTES if setup.tensor * setup.pipeline > 1 else 0))


def _sizes(most: int) -> int:
    """How many batch sizes are captured: 1, 2, 4, then each 8th, from 256 on each 16th."""
    most = min(most, _MOST_CAPTURED)
    return sum(1 for size in (1, 2, 4) if size <= most) + min(most, 255) // 8 + max(0, (most - 256) // 16 + 1)
