"""Turns a resource into vLLM's argument list: never a shell.

Pure; used by render.pod. Flags are those of vLLM 0.32. A field that leaves the choice to the engine adds no flag.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from deepseekserve import names
from deepseekserve.api import DeepSeekServe, InvalidSpec
from deepseekserve.engine.source import parse_source
from deepseekserve.quantity import parse_quantity

AUTO = "Auto"
CPU = "CPU"
PLAIN = "None"                         # of spec.engine.quantization: weights that are not quantized
MEMORY_UTILIZATION_PERCENT = 90          # GPU only; the engine's own default differs between releases
KV_CACHE_PERCENT_OF_MEMORY = 25          # CPU only: the rest is for weights, activations and three Python processes
KV_CACHE_WITHOUT_LIMIT = 2**30           # bytes; CPU only, when there is no memory limit to take a share of

KV_CACHE_DTYPE: Mapping[str, str] = {
    "Float16": "float16", "BFloat16": "bfloat16", "FP8": "fp8", "FP8E4M3": "fp8_e4m3", "FP8E5M2": "fp8_e5m2",
}
DTYPE: Mapping[str, str] = {"Float16": "float16", "BFloat16": "bfloat16", "Float32": "float32"}


@dataclass(frozen=True)
class Quantization:
    """One row of the table: the flag's value, what it needs of the checkpoint, the first engine that has it."""

    flag: str
    needs: str
    since: str


# vLLM's quantization/__init__.py of 0.32 has all but GGUF, which is the plugin vllm-gguf-plugin since it left the tree.
QUANTIZATION: Mapping[str, Quantization] = {
    "AWQ": Quantization("awq", "weights quantized by AWQ, as quantization_config in config.json says", "0.2"),
    "GPTQ": Quantization("gptq", "weights quantized by GPTQ, as quantization_config in config.json says", "0.3"),
    "FP8": Quantization("fp8", "weights in FP8, as quantization_config in config.json says", "0.4"),
    "INT8": Quantization("int8_per_channel_weight_only", "plain 16-bit weights: the engine quantizes them", "0.32"),
    "GGUF": Quantization("gguf", "a .gguf file, and the plugin vllm-gguf-plugin in the image", "0.5"),
}


def argv(serve: DeepSeekServe) -> list[str]:
    """List the engine's command and arguments, not yet escaped; raises InvalidSpec for what cannot be computed."""
    return [
        "vllm", "serve", *_model(serve), "--port", str(names.ENGINE_PORT), *_precision(serve), *_memory(serve),
        *_scheduler(serve), *_parallelism(serve), *serve.spec.engine.extra_args,
    ]


def served_names(serve: DeepSeekServe) -> list[str]:
    """List the names that clients may ask for; the first stands in answers and metrics."""
    return list(serve.spec.model.served_names) or [parse_source(serve.spec.model.source).default_name]


def escape(text: str) -> str:
    """Write `text` so that the kubelet, which expands $(VAR) and makes one $ of two, hands it on unchanged."""
    return text.replace("$", "$$")


def gpu_count(serve: DeepSeekServe) -> int:
    """Count the GPUs of one pod: none on CPU, else what the resource says, else 1."""
    count = serve.spec.resources.gpu.count
    return 0 if serve.spec.engine.device == CPU else 1 if count is None else count


def _model(serve: DeepSeekServe) -> list[str]:
    source = parse_source(serve.spec.model.source)
    return [
        source.argument,
        *_option("--revision", source.revision),
        "--served-model-name", *served_names(serve),
        *_switch("--trust-remote-code", serve.spec.model.trust_remote_code),
    ]


def _precision(serve: DeepSeekServe) -> list[str]:
    engine = serve.spec.engine
    quantization = QUANTIZATION.get(engine.quantization)
    return [
        *_option("--dtype", DTYPE.get(engine.dtype)),
        *_option("--quantization", quantization.flag if quantization else None),
        *_option("--kv-cache-dtype", KV_CACHE_DTYPE.get(engine.kv_cache_dtype)),
    ]


def _memory(serve: DeepSeekServe) -> list[str]:
    engine = serve.spec.engine
    share = None if engine.device == CPU else _fraction(engine.memory_utilization_percent)
    return [
        *_option("--max-model-len", None if engine.max_model_len == AUTO else engine.max_model_len),
        *_option("--gpu-memory-utilization", share),
        *_option("--kv-cache-memory-bytes", kv_cache_bytes(serve)),
    ]


def _scheduler(serve: DeepSeekServe) -> list[str]:
    engine = serve.spec.engine
    return [
        *_option("--max-num-seqs", engine.max_num_seqs),
        *_option("--max-num-batched-tokens", engine.max_num_batched_tokens),
        *_switch("--enable-prefix-caching", engine.prefix_caching is True),
        *_switch("--no-enable-prefix-caching", engine.prefix_caching is False),
        *_switch("--enforce-eager", engine.enforce_eager),
    ]


def _parallelism(serve: DeepSeekServe) -> list[str]:
    tensor, pipeline = tensor_size(serve), serve.spec.resources.parallelism.pipeline
    return [
        *_option("--tensor-parallel-size", tensor if tensor > 1 else None),
        *_option("--pipeline-parallel-size", pipeline if pipeline > 1 else None),
    ]


def kv_cache_bytes(serve: DeepSeekServe) -> int | None:
    """Bytes of the KV cache; None on a GPU, where the engine takes what memoryUtilizationPercent leaves.

    On CPU always a number: the engine's own default, a share of the whole machine's memory, ignores the pod's limit.
    """
    asked, limit = serve.spec.engine.kv_cache_memory, serve.spec.resources.memory
    if asked is not None:
        return int(parse_quantity(asked))
    if serve.spec.engine.device != CPU:
        return None
    return int(parse_quantity(limit)) * KV_CACHE_PERCENT_OF_MEMORY // 100 if limit else KV_CACHE_WITHOUT_LIMIT


def tensor_size(serve: DeepSeekServe) -> int:
    """GPUs that share each layer; Auto is gpu.count / pipeline. Raises InvalidSpec when that leaves a rest."""
    parallelism = serve.spec.resources.parallelism
    if parallelism.tensor != AUTO:
        return int(parallelism.tensor)
    size, rest = divmod(gpu_count(serve), parallelism.pipeline)
    if rest:
        raise InvalidSpec(
            f"spec.resources.gpu.count {gpu_count(serve)} is no multiple of spec.resources.parallelism.pipeline "
            f"{parallelism.pipeline}: change one of them, or set spec.resources.parallelism.tensor"
        )
    return max(size, 1)


def _fraction(percent: int | None) -> str:
    return f"{(MEMORY_UTILIZATION_PERCENT if percent is None else percent) / 100:g}"


def _option(flag: str, value: str | int | None) -> list[str]:
    return [] if value is None else [flag, str(value)]


def _switch(flag: str, on: bool) -> list[str]:
    return [flag] if on else []
