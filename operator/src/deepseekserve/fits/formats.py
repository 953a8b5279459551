"""What quantization, number formats and the GPU's compute capability forbid, each with what would work.

Pure; the first checks of `verdict`.
"""

from collections.abc import Iterator

from deepseekserve import catalog
from deepseekserve.agent.reasons import Reason
from deepseekserve.engine import AUTO, PLAIN
from deepseekserve.facts import Finding, Fix
from deepseekserve.fits import asked
from deepseekserve.fits.case import Case
from deepseekserve.sizing import Plan

LEAST_CAPABILITY = 75                  # torch 2.13 and CUDA 13 have left Volta (7.0) behind
_SPARSE_CAPABILITY = 90                # the backends of v1/attention/backends/mla with is_sparse
_FP8_CACHE_CAPABILITY = 80             # below, only Triton's backend is left, and it has none (triton_attn.py)
_FP8_LATENT_CAPABILITY = 89            # the same of MLA, below 9.0 (triton_mla.py)
_ANYTHING = 1000
_FP8_FILES = ("fp8", "modelopt")       # methods of checkpoints whose every layer has FP8 scales
_AMPERE, _FP8_ON_TURING_SINCE = 80, (0, 11)
_SCHEME_LEFT_SINCE = (0, 22)           # before, a checkpoint's scheme went before what was asked for
_HALF_BEFORE = {"awq": (0, 23), "gptq": (0, 16)}
_QUANTIZATION = "spec.engine.quantization"
_DTYPE = "spec.engine.dtype"


def capability(case: Case) -> Iterator[Finding]:
    """A GPU that the engine has no code for."""
    gpu, sparse = case.known.gpu, _is_sparse(case)
    least, what = (_SPARSE_CAPABILITY, " for sparse attention") if sparse else (LEAST_CAPABILITY, "")
    if gpu and capability_of(case) < least and not asked.may_be_older(case.serve):
        yield Finding(Reason.DOES_NOT_FIT, (
            f"{gpu.product} has compute capability {gpu.capability_text}, and vLLM {catalog.ENGINE} needs "
            f"{catalog.capability_text(least)}{what}"))


def quantization(case: Case) -> Iterator[Finding]:
    """A quantization that the checkpoint does not have, that the GPU cannot run or that computes otherwise."""
    method = _method(case)
    if finding := _not_the_checkpoints(case):
        yield finding
    elif method and case.known.gpu and capability_of(case) < (least := _least(case, method)):
        yield Finding(Reason.QUANTIZATION_UNSUPPORTED, (
            f"{method.name} needs compute capability {catalog.capability_text(least)}, and "
            f"{case.known.gpu.product} has {case.known.gpu.capability_text}"))
    elif method and case.plan and case.plan.setup.dtype not in (dtypes := _dtypes(case, method)):
        yield Finding(
            Reason.DTYPE_UNSUPPORTED,
            f"{method.name} computes in {' or '.join(dtypes)}, not in {case.plan.setup.dtype}",
            fixes=(_float16_or_auto(case, dtypes),))


def dtype(case: Case) -> Iterator[Finding]:
    """A number format that the GPU or the model cannot compute in."""
    gpu, said = case.known.gpu, case.serve.spec.engine.dtype
    unstable = case.plan is not None and asked.is_unstable(case.serve, case.plan.shape)
    if gpu and not gpu.has_bfloat16 and case.plan and _takes_bfloat16(case, case.plan):
        yield Finding(
            Reason.DTYPE_UNSUPPORTED,
            f"the checkpoint is in bfloat16, which {gpu.product} does not have, and engines before 0.9 take it "
            "all the same",
            fixes=(Fix(_DTYPE, "Float16", "this GPU computes in float16"),))
    if said == "BFloat16" and gpu and not gpu.has_bfloat16:
        other = "Float32" if unstable else "Float16"
        yield Finding(
            Reason.DTYPE_UNSUPPORTED,
            f"{gpu.product} has compute capability {gpu.capability_text}, and bfloat16 needs 8.0",
            fixes=(Fix(_DTYPE, other, f"this GPU computes in {other.lower()}"),))
    if said == "Float16" and unstable and case.plan and asked.version(case.serve):
        yield Finding(
            Reason.DTYPE_UNSUPPORTED, f"{case.plan.shape.model_type} is numerically unstable in float16",
            fixes=(Fix(_DTYPE, "Auto", "the engine takes one that the model and the GPU can compute in"),))


def _takes_bfloat16(case: Case, plan: Plan) -> bool:
    is_left = case.serve.spec.engine.dtype == AUTO and plan.shape.dtype == "bfloat16"
    return is_left and asked.release(case.serve) < asked.FALLS_BACK_SINCE


def cache_dtype(case: Case) -> Iterator[Finding]:
    """A KV cache of 8 bits on a GPU that has no code for it, or beside a checkpoint with scales for another."""
    form, release = case.plan.form if case.plan else None, asked.version(case.serve) or ()
    is_other = form and (form.method in _FP8_FILES or (form.fp8_cache and release >= _SCHEME_LEFT_SINCE))
    if case.serve.spec.engine.kv_cache_dtype == "FP8E5M2" and is_other:
        yield Finding(
            Reason.QUANTIZATION_UNSUPPORTED, "a KV cache in FP8E5M2 is not possible with an FP8 checkpoint",
            fixes=(Fix("spec.engine.kvCacheDtype", "FP8", "the format that such checkpoints have scales for"),))
    gpu, least = case.known.gpu, _cache_capability(case)
    if gpu and capability_of(case) < least:
        yield Finding(
            Reason.QUANTIZATION_UNSUPPORTED, (
                f"{gpu.product} has compute capability {gpu.capability_text}, and a KV cache in FP8 needs "
                f"{catalog.capability_text(least)}"),
            fixes=(_plain_cache(case, gpu),))


def _plain_cache(case: Case, gpu: catalog.Gpu) -> Fix:
    """What the model computes in: by itself, where the checkpoint has no say."""
    own = "BFloat16" if gpu.has_bfloat16 else "Float16"
    value = own if case.plan and case.plan.form and case.plan.form.fp8_cache else "Auto"
    return Fix("spec.engine.kvCacheDtype", value, "the cache is kept in what the model computes in")


def falls_back(case: Case) -> Fix | None:
    """The fix that says aloud what the engine does unasked: another number format than the checkpoint's."""
    gpu = case.known.gpu
    if not (case.plan and gpu and case.serve.spec.engine.dtype == AUTO):
        return None
    shape, computed = case.plan.shape, case.plan.setup.dtype
    if shape.dtype != "bfloat16" or gpu.has_bfloat16:
        return None
    value = {"float16": "Float16", "float32": "Float32"}[computed]
    return Fix(_DTYPE, value, f"{gpu.product} has no bfloat16, so the engine would take {value} unasked")


def _cache_capability(case: Case) -> int:
    """The least that has code for the KV cache's number format."""
    asked_for = case.serve.spec.engine.kv_cache_dtype
    is_own = asked_for == AUTO and case.plan is not None and case.plan.setup.cache_bytes == 1
    if not (is_own or asked_for.startswith("FP8")):
        return 0
    is_latent = case.plan is not None and case.plan.shape.layers[0].cached.shared
    return _FP8_LATENT_CAPABILITY if is_latent else _FP8_CACHE_CAPABILITY


def _is_sparse(case: Case) -> bool:
    """Whether an indexer chooses the tokens that are looked at: V3.2."""
    return case.plan is not None and case.plan.shape.layers[0].cached.extra > 0


def capability_of(case: Case) -> int:
    """Of the GPU; one that is not known can do everything."""
    gpu = case.known.gpu
    return _ANYTHING if gpu is None or gpu.capability is None else gpu.capability


def _method(case: Case) -> catalog.Method | None:
    """The engine's method for the checkpoint, else the one that is asked for."""
    return catalog.METHODS.get(case.method or case.flag or "")


def _least(case: Case, method: catalog.Method) -> int:
    """The least compute capability that has code for a quantization."""
    is_early = asked.release(case.serve) < _FP8_ON_TURING_SINCE
    return max(method.least_capability, _AMPERE if is_early and method.name in _FP8_FILES else 0)


def _dtypes(case: Case, method: catalog.Method) -> tuple[str, ...]:
    """What a quantization computes in; AWQ and GPTQ that are asked for by name did so in float16 alone."""
    is_early = asked.release(case.serve) < _HALF_BEFORE.get(case.flag or "", (0,))
    return ("float16",) if is_early and case.on_gpu else method.dtypes


def _not_the_checkpoints(case: Case) -> Finding | None:
    """A mismatch of what is asked for and what the checkpoint says, as vLLM's config/model.py finds it."""
    asked_for, flag, made = case.serve.spec.engine.quantization, case.flag, case.method
    method, checkpoint = catalog.METHODS.get(flag or ""), catalog.METHODS.get(made or "")
    if case.known.config is None or (method is None and asked_for != PLAIN):
        return None
    if made is not None:
        is_same = method is not None and checkpoint is not None and checkpoint.config == method.config
        what = f"{asked_for} is" if method else "plain weights are"
        return None if is_same else Finding(
            Reason.QUANTIZATION_MISMATCH, f"the checkpoint is quantized by {made}, and {what} asked for",
            fixes=(Fix(_QUANTIZATION, "Auto", "the engine takes what the checkpoint says"),))
    # Older engines made FP8 of plain ones too.
    if method is None or method.online or (asked.may_be_older(case.serve) and not method.files):
        return None
    reason = Reason.QUANTIZATION_MISSING_CONFIG if method.files else Reason.QUANTIZATION_UNSUPPORTED
    return Finding(reason, f"{asked_for} is asked for, and the checkpoint is not quantized", fixes=(
        Fix(_QUANTIZATION, "Auto", "the weights are taken as they are"), *_siblings(case, method.config)))


def _siblings(case: Case, config: str) -> Iterator[Fix]:
    """Copies of the model that are quantized as is asked for."""
    model = catalog.find_model(case.serve.spec.model.source)
    for copy in catalog.siblings(model) if model else ():
        made = catalog.METHODS.get(str(copy.config["quantization_config"]["quant_method"]))
        if made and made.config == config:
            yield Fix("spec.model.source", f"hf://{copy.id}", f"a copy of the model that is quantized by {made.name}")


def _float16_or_auto(case: Case, dtypes: tuple[str, ...]) -> Fix:
    gpu = case.known.gpu
    if case.serve.spec.engine.dtype != AUTO and (gpu is None or gpu.has_bfloat16):
        return Fix(_DTYPE, "Auto", "the engine takes what the checkpoint says")
    return Fix(_DTYPE, "Float16" if "float16" in dtypes else "BFloat16", f"one of {' and '.join(dtypes)}")
