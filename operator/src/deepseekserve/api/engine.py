"""The fields of `spec.engine`: how vLLM runs, with their defaults, bounds and rules.

Pure; `deepseekserve.engine` turns them into vLLM's arguments. A default that depends on the device stands there.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from deepseekserve.api.forms import AUTO, Amount, AutoOr, Core, Flag, Items, Text, Whole
from deepseekserve.api.group import Group, Rule
from deepseekserve.api.marking import Rolling

IMAGE = Text("[a-zA-Z0-9][a-zA-Z0-9._/:@-]*", 1024, "set an image reference such as docker.io/vllm/vllm-openai:v0.32.0")
ARGUMENT = Text(r"[^\x00]*", 8192, "remove the NUL character: no program can be given one")
MAX_MODEL_LEN = AutoOr(10_000_000, (
    "set Auto, or a whole number of tokens from 1 to 10000000 without quotes or unit (write 32768, not 32k)"))
KV_CACHE = Amount("1Ki", "1Pi", "set an amount of memory from 1Ki to 1Pi, such as 8Gi or 512Mi")

ENV_RULES = (
    Rule("self.name.matches(r'^[^=\\x00]+$')", "set a name of at least one character, without =", ".name"),
    Rule("!has(self.value) || self.value == '' || !has(self.valueFrom)", "set value or valueFrom, not both"),
    Rule(
        "!has(self.valueFrom) || 1 == (has(self.valueFrom.secretKeyRef) ? 1 : 0) + (has(self.valueFrom.configMapKeyRef)"
        " ? 1 : 0) + (has(self.valueFrom.fieldRef) ? 1 : 0) + (has(self.valueFrom.resourceFieldRef) ? 1 : 0)",
        "set exactly one of secretKeyRef, configMapKeyRef, fieldRef and resourceFieldRef",
        ".valueFrom",
    ),
    *(
        Rule(
            f"!has(self.valueFrom) || !has(self.valueFrom.{kind}) || (has(self.valueFrom.{kind}.name) && "
            f"self.valueFrom.{kind}.name != '')",
            f"set the name of the {kind[0].upper() + kind[1:-6]} that holds the key",
            f".valueFrom.{kind}",
        )
        for kind in ("secretKeyRef", "configMapKeyRef")
    ),
)


class Engine(Group):
    """How the inference engine, vLLM, runs."""

    rules = (
        Rule(
            "self.device != 'CPU' || !has(self.memoryUtilizationPercent)",
            "spec.engine.device is CPU, where this means nothing: remove it (spec.engine.kvCacheMemory is what counts "
            "there), or set spec.engine.device to GPU",
            ".memoryUtilizationPercent",
        ),
        Rule(
            "!has(self.maxNumBatchedTokens) || !has(self.maxNumSeqs) || self.maxNumBatchedTokens >= self.maxNumSeqs",
            "must not be less than spec.engine.maxNumSeqs, as each request takes at least one token of a step: raise "
            "this field, or lower spec.engine.maxNumSeqs",
            ".maxNumBatchedTokens",
        ),
    )

    image: Rolling[Annotated[str, IMAGE] | None] = None
    """Container image of the engine, which must hold vLLM. Default: the operator's, one for GPU and one for CPU."""
    device: Rolling[Literal["GPU", "CPU"]] = "GPU"
    """What the engine computes on. CPU is for trying things out, and slow. Default: GPU."""
    dtype: Rolling[Literal["Auto", "Float16", "BFloat16", "Float32"]] = "Auto"
    """Number format of weights and activations. Default: Auto, what the checkpoint says."""
    quantization: Rolling[Literal["Auto", "None", "AWQ", "GPTQ", "FP8", "INT8", "GGUF"]] = "Auto"
    """How the weights are quantized. None, AWQ, GPTQ, FP8 and GGUF are for checkpoints made so, None for plain ones;
    INT8 quantizes a plain one while it loads. Default: Auto, what the checkpoint says."""
    max_model_len: Rolling[Annotated[Literal["Auto"] | int, MAX_MODEL_LEN]] = AUTO
    """Longest context in tokens, prompt and answer together: a whole number, or Auto. Less context takes less KV cache
    memory per request. Default: Auto, the longest that fits and the model's configuration allows."""
    memory_utilization_percent: Rolling[Annotated[int, Whole(1, 100)] | None] = None
    """Share of each GPU's memory that the engine may use, in percent: weights, activations and KV cache together. GPU
    only. Default: 90."""
    kv_cache_memory: Rolling[Annotated[str, KV_CACHE] | None] = None
    """Memory for the KV cache (per GPU on GPUs), such as 8Gi. Default on GPUs: what memoryUtilizationPercent leaves; on
    CPU: a quarter of spec.resources.memory, 1Gi when that is not set."""
    kv_cache_dtype: Rolling[Literal["Auto", "Float16", "BFloat16", "FP8", "FP8E4M3", "FP8E5M2"]] = "Auto"
    """Number format of the KV cache. FP8 holds twice the tokens in the same memory, at a small loss of quality.
    Default: Auto, what the model computes in."""
    max_num_seqs: Rolling[Annotated[int, Whole(1, 65536)] | None] = None
    """Most requests that the engine works on at once; others wait. Default: the engine's own choice."""
    max_num_batched_tokens: Rolling[Annotated[int, Whole(1, 10_000_000)] | None] = None
    """Most tokens that the engine computes in one step, over all requests. More is faster for long prompts and takes
    more memory. Default: the engine's own choice."""
    prefix_caching: Rolling[Annotated[bool, Flag] | None] = None
    """Whether prompts that begin alike share their KV cache. Default: the engine's own choice (vLLM 0.32: true)."""
    enforce_eager: Rolling[Annotated[bool, Flag]] = False
    """Whether to skip compilation and graph capture: a faster start, slower answers. Default: false."""
    extra_args: Rolling[Annotated[list[Annotated[str, ARGUMENT]], Items(128)]] = Field(default=[])
    """Further arguments of `vllm serve`, one item each, such as --reasoning-parser and deepseek_r1. A flag that a field
    sets is refused. Default: none."""
    env: Rolling[Annotated[
        list[dict[str, Any]], Core("EnvVar", most=128, key="name", rules=ENV_RULES)]] = Field(default=[])
    """Environment variables of the engine's container, as in a Pod. They win over the operator's own. Default: none."""
