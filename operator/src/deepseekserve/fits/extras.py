"""Turns the extra arguments into what a sum is wrong by: what moves memory elsewhere, or changes the model itself.

Pure. Flags are those of vLLM 0.32 and of the older ones that are still in use.
"""

from collections.abc import Iterator

from deepseekserve import engine
from deepseekserve.api import DeepSeekServe

# The model that runs is not what its config.json says.
RESHAPING = ("--hf-overrides", "--hf-config-path", "--rope-scaling", "--model-class-overrides")
# What moves weights or cache elsewhere, or adds to them: the sum does not hold.
UNCOUNTED = (
    *RESHAPING, "--cpu-offload-gb", "--cpu-offload-params", "--offload-backend", "--offload-group-size",
    "--offload-params", "--swap-space", "--data-parallel-size", "--decode-context-parallel-size",
    "--prefill-context-parallel-size", "--nnodes", "--kv-offloading-size", "--compilation-config", "--enable-lora",
    "--enable-eplb", "--num-gpu-blocks-override", "--quantization-config", "--speculative-model", "--spec-model",
)
# What the sum may be off by a little.
SLIGHT = (
    "--optimization-level", "--cudagraph-capture-sizes", "--max-cudagraph-capture-size", "--attention-backend",
    "--attention-config", "--kv-cache-dtype-skip-layers", "--disable-sliding-window",
    "--disable-hybrid-kv-cache-manager", "--kv-transfer-config", "--enable-sleep-mode", "--enable-dbo", "--ubatch-size",
    "--mm-ipc-gpu-memory-gb", "--limit-mm-per-prompt", "--language-model-only", "--mm-encoder-only", "--model-impl",
    "--worker-cls", "--additional-config", "--calculate-kv-scales",
)
_OTHER_WEIGHTS = ("bitsandbytes", "gguf", "tensorizer")
_POOLING = ("pooling", "embed", "embedding", "classify", "score", "reward")
_NOTHING_LOADED = ("ngram", "[ngram]", "ngram_gpu", "suffix")


def argument(serve: DeepSeekServe, flag: str) -> str | None:
    """The value of a flag among the extra arguments; empty for one without a value, None where it is not there."""
    return engine.value_of(serve.spec.engine.extra_args, flag)


def uncounted(serve: DeepSeekServe) -> tuple[str, ...]:
    """Arguments of which the sum knows nothing and that it may be wrong by a lot."""
    return tuple(_uncounted(serve))


def slight(serve: DeepSeekServe) -> tuple[str, ...]:
    """Arguments of which the sum knows nothing and that it may be wrong by a little."""
    return tuple(flag for flag in SLIGHT if argument(serve, flag) is not None)


def is_reshaped(serve: DeepSeekServe) -> bool:
    """Whether the engine runs another model than config.json describes."""
    return any(argument(serve, flag) is not None for flag in RESHAPING)


def is_pooling(serve: DeepSeekServe) -> bool:
    """Whether the model is to answer with vectors or scores: it is loaded without its head."""
    return any(argument(serve, flag) in _POOLING for flag in ("--runner", "--convert", "--task"))


def speculation(serve: DeepSeekServe) -> str:
    """The method of speculative decoding; empty for none, or one that is found out from the draft model."""
    fields = engine.as_json(argument(serve, "--speculative-config"))
    return str(argument(serve, "--spec-method") or fields.get("method") or "")


def _uncounted(serve: DeepSeekServe) -> Iterator[str]:
    yield from (flag for flag in UNCOUNTED if argument(serve, flag) is not None)
    said, method = argument(serve, "--speculative-config"), speculation(serve)
    is_counted = method in _NOTHING_LOADED or ("mtp" in method and not engine.as_json(said).get("model"))
    if not is_counted and (said is not None or method):
        yield "--spec-method" if said is None else "--speculative-config"
    if argument(serve, "--load-format") in _OTHER_WEIGHTS:
        yield "--load-format"
