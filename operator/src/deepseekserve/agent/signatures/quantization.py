"""Quantization and dtype: what the checkpoint says, what was asked for, what the device can compute."""

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Adviser, Advice, Case, Fix, Signature, Weight

SIGNATURES = (
    Signature(Reason.QUANTIZATION_MISSING_CONFIG,
              r"Cannot find the config file for (?P<method>[\w-]+)|Model quantization method is not specified in the config"
              r"|Cannot find any of \[.{0,200}\] in the model's quantization config"
              r"|Missing 'quant_algo' in quantization config|Expected 'quantization' to be a dictionary in config",
              "fail-quant-awq-on-plain.log, vllm#1419", statement=True),
    Signature(Reason.QUANTIZATION_MISMATCH,
              r"Quantization method specified in the model config \((?P<checkpoint>[^)]*)\) does not match the quantization method "
              r"specified in the `?quantization`? argument \((?P<asked>[^)]*)\)", "fail-quant-mismatch-cli.log, GPU 103", statement=True),
    Signature(Reason.QUANTIZATION_MISMATCH, r"Quantization method specified in the model config|quantization method specified in the "
              r"`quantization` argument", "config/model.py", statement=True),
    Signature(Reason.QUANTIZATION_UNKNOWN,
              r"Unknown quantization method: ?(?P<method>[\w.-]*?)\.? Must be one of|Unknown quantization method"
              r"|Invalid quantization method: (?P<other>[\w-]+)|unknown quantization name",
              "fail-quant-unknown.log, GPU 112", statement=True),
    Signature(Reason.QUANTIZATION_UNKNOWN, r"argument (?:--quantization|-q)\S*: invalid choice: '(?P<method>[^']*)'", "argparse",
              statement=True),
    Signature(Reason.DTYPE_UNSUPPORTED,
              r"Bfloat16 is only supported on GPUs with compute capability of at least (?P<min>[\d.]+)\. Your (?P<gpu>.{0,60}?) "
              r"GPU has compute capability (?P<has>[\d.]+)", "GPU 106", statement=True),
    Signature(Reason.DTYPE_UNSUPPORTED,
              r"(?P<dtype>torch\.\w+|Bfloat16|bfloat16|float16) is (?:only supported on GPUs|not supported for quantization method "
              r"(?P<method>\S+?)\. Supported dtypes: \[(?:torch\.)?(?P<good>\w+))|does not support (?P<bad>float16)\. Reason"
              r"|is not supported for quantization method|dtype .{0,40}is not supported (?:on|by)|Unknown dtype|[Uu]nsupported dtype",
              "GPU 107; config/model.py", statement=True),
    Signature(Reason.QUANTIZATION_UNSUPPORTED,
              r"quantization method (?P<method>\S+) is not (?:currently )?supported for the current GPU\.? "
              r"M[a-z]+ capability: (?P<min>\d+)\.? Current capability: (?P<has>\d+)", "vllm#1488", statement=True),
    Signature(Reason.QUANTIZATION_UNSUPPORTED,
              r"Quantization scheme is not supported for.{0,120}?Min capability: (?P<min>\d+).{0,40}?Current capability: (?P<has>\d+)"
              r"|Quantization scheme is not supported for", "vllm#14040", statement=True),
    Signature(Reason.QUANTIZATION_UNSUPPORTED,
              r"(?P<kind>FP8|NVFP4|INT8|fp8\w*) KV cache is not supported|No compressed-tensors compatible scheme"
              r"|Failed to find a kernel that can implement the (?P<scheme>\w+)|no longer supports online quantization"
              r"|quantization .{0,80}is (?:not|currently not) supported (?:on|in|for|by)|type fp8\w* not supported"
              r"|fp8e4nv not supported|requires SM ?8[09]\+?|nvfp4 KV cache is not supported|Marlin.{0,80}not supported"
              r"|The quantization method \S+ is (?:deprecated|not)|Unsupported (?:num_bits|quantization config|ModelOpt)"
              r"|quantization is currently only supported|only support(?:s|ed) .{0,30}quantiz"
              r"|This can be caused by too large tensor parallel size",
              "GPU 070, 108; layers/quantization", statement=True),
    Signature(Reason.QUANTIZATION_UNSUPPORTED, r"No valid attention backend found.{0,160}kv_cache_dtype=(?!auto|bfloat16|float16)(?P<kv>\w+)",
              "GPU 071", statement=True),
    Signature(Reason.QUANTIZATION_UNSUPPORTED,
              r"(?:_C|_C_cpu|_moe_C)(?:::|')? ?'?(?:\w*(?:fp8|int8|awq|gptq|marlin|quant|fp4)\w*)", "fail-quant-fp8-on-plain.log",
              frames=r""),
    Signature(Reason.QUANTIZATION_UNSUPPORTED,
              r"^(?:\w+\.)*(?:NotImplementedError|RuntimeError|AttributeError|AssertionError|ValueError|KeyError)",
              "layers/quantization", weight=Weight.LIKELY, frames=r"layers/quantization/|scaled_mm|mixed_precision"),
)

_NAMES = {
    "awq": "AWQ", "awq_marlin": "AWQ", "auto_awq": "AWQ", "gptq": "GPTQ", "gptq_marlin": "GPTQ", "auto_gptq": "GPTQ", "fp8": "FP8",
    "gguf": "GGUF", "int8": "INT8",
}


def _auto(why: str) -> tuple[Fix, ...]:
    return (Fix("spec.engine.quantization", "Auto", why),)


def _missing_config(case: Case) -> Advice:
    method = case.word("method") or case.facts.asked.get("quantization", "")
    name = _NAMES.get(method, method) or "this quantization"
    return Advice(f"spec.engine.quantization asks for {name}, but the checkpoint is not quantized that way: it has no description of it.",
                  f"Set spec.engine.quantization to Auto, or spec.model.source to a checkpoint made with {name}.",
                  _auto("the checkpoint says itself whether and how it is quantized"))


def _mismatch(case: Case) -> Advice:
    has, asked = case.word("checkpoint", "another one"), case.word("asked", "something else")
    return Advice(f"The checkpoint is quantized with {has}, but {asked} was asked for.", "Set spec.engine.quantization to Auto.",
                  _auto(f"the checkpoint says {has}"))


def _unknown(case: Case) -> Advice:
    method = case.word("method") or case.word("other")
    return Advice(f"This engine does not know the quantization {method or '(an empty name)'}.",
                  "Set spec.engine.quantization to Auto, and remove --quantization from spec.engine.extraArgs; if the checkpoint itself "
                  "names it, choose another checkpoint or a newer spec.engine.image.", _auto("the checkpoint decides"))


def _unsupported(case: Case) -> Advice:
    if kv := case.word("kv") or case.word("kind"):
        return Advice(f"The KV cache dtype {kv} cannot be used on this device.", "Set spec.engine.kvCacheDtype to Auto.",
                      (Fix("spec.engine.kvCacheDtype", "Auto", f"no attention kernel for {kv} here"),))
    low, has = case.word("min"), case.word("has")
    detail = f": it needs compute capability {low} and the GPU has {has}" if low and has else ""
    method = case.word("method") or case.word("scheme") or case.facts.asked.get("quantization", "")
    fixes = _auto("without the flag the checkpoint is run as it is") if case.facts.asked.get("quantization") else ()
    return Advice(f"The quantization{' ' + method if method else ''} cannot run on this device or engine{detail}.",
                  "Set spec.engine.quantization to Auto; if the checkpoint itself is quantized this way, choose another checkpoint "
                  "or a newer GPU.", fixes)


def _dtype(case: Case) -> Advice:
    good = case.word("good") or ("BFloat16" if case.word("bad") else "Float16")
    value = {"float16": "Float16", "bfloat16": "BFloat16", "float32": "Float32", "half": "Float16"}.get(good.lower(), good)
    where = f" on this {case.word('gpu')} GPU" if case.word("gpu") else f" with {case.word('method')}" if case.word("method") else " here"
    dtype = (case.word("dtype") or case.word("bad") or "bfloat16").removeprefix("torch.").lower()
    return Advice(f"The dtype {dtype} cannot be used{where}.", f"Set spec.engine.dtype to {value}.",
                  (Fix("spec.engine.dtype", value, f"{dtype} is not supported{where}"),))


ADVICE: dict[Reason, Adviser] = {
    Reason.QUANTIZATION_MISSING_CONFIG: _missing_config,
    Reason.QUANTIZATION_MISMATCH: _mismatch,
    Reason.QUANTIZATION_UNKNOWN: _unknown,
    Reason.QUANTIZATION_UNSUPPORTED: _unsupported,
    Reason.DTYPE_UNSUPPORTED: _dtype,
}
