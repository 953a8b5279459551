"""How an engine is set up, as far as its memory depends on it: what sizing is asked about.

Pure; made of a resource by `fits`, of a log by the tests.
"""

from dataclasses import dataclass

BLOCK_TOKENS = 16                  # of the KV cache on GPUs (vllm/config/cache.py, DEFAULT_BLOCK_SIZE)
CPU_BLOCK_TOKENS = 128             # on CPU: the logs of vLLM 0.32
NEWEST = (1 << 16,)                # the release that the formulas follow, whichever that is


@dataclass(frozen=True)
class Setup:
    """One engine."""

    dtype: str = "bfloat16"            # that it computes in
    cache_bytes: int = 2               # of one number in the KV cache
    tensor: int = 1
    pipeline: int = 1
    sequences: int = 256               # --max-num-seqs
    batched_tokens: int = 2048         # --max-num-batched-tokens
    block_tokens: int = BLOCK_TOKENS
    on_gpu: bool = True                # on CPU the engine measures nothing but its cache
    graphs: bool = True                # CUDA graphs: not with --enforce-eager
    whole_experts: bool = False        # --enable-expert-parallel: ranks share experts by their number
    draft: bool = False                # speculative decoding by the model's own draft layer
    head: bool = True                  # a pooling model is loaded without it
    version: tuple[int, ...] = NEWEST  # of vLLM: older ones differ in what they count, and in what they take
