"""What to do about quantization and dtype: in most cases, let the checkpoint decide."""

from deepseekserve.agent.fixes import Fix
from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Advice, Adviser, Case

# vLLM's names for what the field spec.engine.quantization calls otherwise.
_NAMES = {
    "awq": "AWQ", "awq_marlin": "AWQ", "auto_awq": "AWQ", "gptq": "GPTQ", "gptq_marlin": "GPTQ", "auto_gptq": "GPTQ",
    "fp8": "FP8", "gguf": "GGUF", "int8": "INT8",
}
_DTYPES = {"float16": "Float16", "half": "Float16", "bfloat16": "BFloat16", "float32": "Float32", "float": "Float32"}


def _auto(why: str) -> tuple[Fix, ...]:
    return (Fix("spec.engine.quantization", "Auto", why),)


def _missing_config(case: Case) -> Advice:
    method = case.word("method") or case.facts.asked.get("quantization", "")
    name = _NAMES.get(method, method) or "a quantization"
    return Advice(
        f"spec.engine.quantization asks for {name}, but the model's files are not quantized that way: their "
        f"config.json has no description of it.",
        f"Set spec.engine.quantization to Auto, which runs them as they are (in more memory than {name} takes), or "
        f"spec.model.source to a copy of the model that is made with {name}.",
        _auto("the checkpoint says itself whether and how it is quantized"))


def _mismatch(case: Case) -> Advice:
    has, asked = case.word("checkpoint", "one method"), case.word("asked", "another")
    has, asked = _NAMES.get(has, has), _NAMES.get(asked, asked)
    return Advice(f"The model's files are quantized with {has}, but {asked} was asked for.",
                  "Set spec.engine.quantization to Auto.", _auto(f"the files are made with {has}"))


def _unknown(case: Case) -> Advice:
    method = case.first("method", "other", "choice") or "with an empty name"
    return Advice(
        f"This engine does not know the quantization {method}.",
        "Set spec.engine.quantization to Auto. If it is Auto, the model's own config.json names it: choose another "
        "model in spec.model.source, or a newer vLLM in spec.engine.image.", _auto("the model's files decide"))


def _unsupported(case: Case) -> Advice:
    if cache := case.first("kv", "kind"):
        return Advice(f"The KV cache dtype {cache} cannot be used on this device.", "Set spec.engine.kvCacheDtype to "
                                                                                    "Auto.",
                      (Fix("spec.engine.kvCacheDtype", "Auto", f"no attention kernel takes {cache} here"),))
    low, has, asked = case.word("min"), case.word("has"), case.facts.asked.get("quantization", "")
    detail = f": it needs compute capability {low} and the GPU has {has}" if low and has else ""
    method = case.first("method", "scheme", "other") or asked
    if "not divisible by" in case.text or "too large tensor parallel" in case.text:
        return Advice(
            "The quantized weights cannot be cut into as many parts as devices were asked for.",
            "Lower spec.resources.parallelism.tensor, and use spec.resources.parallelism.pipeline for the other GPUs.")
    return Advice(
        f"The quantization{' ' + method if method else ''} cannot run on this device or engine{detail}.",
        "Set spec.engine.quantization to Auto; if the checkpoint itself is quantized this way, choose another "
        "checkpoint "
        "or another GPU.", _auto("without the flag the checkpoint runs as it is") if asked else ())


def _dtype(case: Case) -> Advice:
    bad = case.first("dtype", "bad") or case.facts.asked.get("dtype", "bfloat16")
    bad = bad.removeprefix("torch.").lower().replace("half", "float16")
    good = case.word("good") or ("bfloat16" if bad == "float16" else "float16")
    value = _DTYPES.get(good.lower(), good)
    gpu, method = case.word("gpu"), case.word("method")
    where = f"on this {gpu} GPU" if gpu else f"with the quantization {method}" if method else "here"
    return Advice(f"The dtype {bad} cannot be used {where}.", f"Set spec.engine.dtype to {value}.",
                  (Fix("spec.engine.dtype", value, f"{bad} cannot be used {where}"),))


ADVICE: dict[Reason, Adviser] = {
    Reason.QUANTIZATION_MISSING_CONFIG: _missing_config,
    Reason.QUANTIZATION_MISMATCH: _mismatch,
    Reason.QUANTIZATION_UNKNOWN: _unknown,
    Reason.QUANTIZATION_UNSUPPORTED: _unsupported,
    Reason.DTYPE_UNSUPPORTED: _dtype,
}
