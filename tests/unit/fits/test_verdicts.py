"""What is refused, with which number and which fixes; what is admitted; what nobody can say."""

import json
from dataclasses import replace
from typing import Any

import pytest

from deepseekserve import catalog, engine, fits
from deepseekserve.api import InvalidSpec
from deepseekserve.facts import Fix
from deepseekserve.fits.case import mended as mended_case
from tests.unit.fits.cases import DISTILL, R1, judged, known, mended, offers, reasons, serve
from tests.unit.sizing.models import config, gemma3, llama

GUIDE: dict[str, Any] = {"engine": {"quantization": "AWQ", "maxModelLen": 32768}}
V4 = "hf://deepseek-ai/DeepSeek-V4-Flash"
GIB = 1 << 30
VLLM = "vllm/vllm-openai"
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}


def of(raw: dict[str, Any], gpu: str | None = "A10G", **spec: Any) -> fits.Verdict:
    """A model that is in no catalogue."""
    found = catalog.find_gpu(gpu) if gpu else None
    return fits.judge(serve("pvc://models/own", **spec), fits.Known(raw, gpu=found))


# The guide that many people copy

def test_awq_of_a_plain_checkpoint_is_refused_and_the_missing_bfloat16_is_mentioned() -> None:
    found = judged(DISTILL + "Qwen-1.5B", "Tesla-T4", **GUIDE)
    assert found.fits == "False"
    assert reasons(found) == ["QuantizationMissingConfig"]
    assert found.message == "AWQ is asked for, and the checkpoint is not quantized"
    assert offers(found) == [("engine.quantization", "Auto"), ("engine.dtype", "Float16")]


def test_with_its_fixes_the_guide_works() -> None:
    found = mended(DISTILL + "Qwen-1.5B", "Tesla-T4", **GUIDE)
    assert found.fits == "True"
    assert found.warnings == ()
    assert found.message == ("needs 6.2 GiB, has 13.1: weights 3.3, KV cache 0.9 at 32768 tokens, overhead 2.0; "
                             "the KV cache holds 289,952 tokens")


def test_bfloat16_that_is_asked_for_is_refused_where_there_is_none() -> None:
    found = judged(DISTILL + "Qwen-1.5B", "T4", engine={"dtype": "BFloat16", "maxModelLen": 4096})
    assert reasons(found) == ["DtypeUnsupported"]
    assert offers(found) == [("engine.dtype", "Float16")]


def test_a_format_that_the_engine_will_change_is_admitted_with_a_warning() -> None:
    found = judged(DISTILL + "Qwen-1.5B", "T4", engine={"maxModelLen": 4096})
    assert found.fits == "True"
    assert found.warnings == ("Tesla-T4 has no bfloat16, so the engine would take Float16 unasked: "
                              "set spec.engine.dtype to Float16 to say so",)


# The list of the issue

def test_a_gpu_that_the_engine_has_left_behind_is_refused_for_its_capability() -> None:
    found = judged(DISTILL + "Llama-8B", "V100-16GB", engine={"maxModelLen": 8192})
    assert found.message.startswith("Tesla-V100-SXM2-16GB has compute capability 7.0, and vLLM 0.32.0 needs 7.5")
    assert offers(found)[0] == ("scheduling.nodeSelector", '{"nvidia.com/gpu.product": "NVIDIA-A10"}')


def test_a_context_that_does_not_fit_is_refused_with_the_largest_and_admitted_at_it() -> None:
    source, spec = DISTILL + "Llama-8B", {"engine": {"maxModelLen": 131072}}
    found = judged(source, "A10G", **spec)
    assert found.message == ("needs 33.0 GiB, has 19.9: weights 15.0, KV cache 16.0 at 131072 tokens, overhead 2.0; "
                             "at most 23,504 tokens fit")
    assert offers(found) == [
        ("engine.maxModelLen", "23504"), ("resources.gpu.count", "2"),
        ("scheduling.nodeSelector", '{"nvidia.com/gpu.product": "NVIDIA-A100-PCIE-40GB"}')]
    assert judged(source, "A10G", engine={"maxModelLen": 23504}).fits == "True"


def test_r1_fits_eight_h200_and_not_eight_a100_of_40_gb() -> None:
    eight = {"resources": {"gpu": {"count": 8}}}
    assert judged(R1, "H200", **eight).fits == "True"
    refused = judged(R1, "A100-40GB", **eight)
    assert reasons(refused) == ["DoesNotFit"]
    assert "no context fits" in refused.message


def test_heads_that_do_not_divide_are_refused_with_the_nearest_numbers_that_do() -> None:
    found = judged(DISTILL + "Qwen-32B", resources={"gpu": {"count": 3}})
    assert found.message == "40 attention heads and 8 KV heads cannot be divided by 3"
    assert offers(found) == [("resources.gpu.count", "2"), ("resources.gpu.count", "4")]
    on_small = judged(DISTILL + "Qwen-32B", "A10G", resources={"gpu": {"count": 3}}, engine={"maxModelLen": 8192})
    assert offers(on_small)[0] == ("resources.gpu.count", "4")


@pytest.mark.parametrize(("source", "gpu", "spec"), [
    (DISTILL + "Qwen-1.5B", "T4", GUIDE),
    (DISTILL + "Llama-8B", "A10G", {"engine": {"maxModelLen": 131072}}),
    (DISTILL + "Llama-8B", "L4", {"engine": {"maxModelLen": 40960}}),
    (DISTILL + "Llama-8B", "V100-16GB", {}),
    (DISTILL + "Qwen-14B", "A10G", {"engine": {"maxModelLen": 8192}}),
    (DISTILL + "Qwen-32B", "A10G", {"resources": {"gpu": {"count": 3}}}),
    (DISTILL + "Qwen-7B", "A10G", {"engine": {"maxModelLen": 999999}}),
    (DISTILL + "Qwen-7B", "A10G", {"engine": {"maxModelLen": 8192, "kvCacheMemory": "64Mi"}}),
    (DISTILL + "Qwen-7B", "T4", {"engine": {"kvCacheDtype": "FP8", "maxModelLen": 128},
                                 "scheduling": {"nodeSelector": {"zone": "a"}}}),
    (R1, "A100-40GB", {"resources": {"gpu": {"count": 8}}}),
    (DISTILL + "Qwen-1.5B", None, {"engine": {"device": "CPU", "maxModelLen": 81920}, "resources": {"memory": "2Gi"}}),
])
def test_with_all_fixes_applied_a_refused_resource_is_admitted(source: str, gpu: str, spec: dict[str, Any]) -> None:
    assert judged(source, gpu, **spec).fits == "False"
    assert mended(source, gpu, **spec).fits == "True"


# Quantization

@pytest.mark.parametrize(("quantization", "name", "says", "fields"), [
    ("GPTQ", "DeepSeek-R1-Distill-Llama-8B_AWQ", "quantized by awq, and GPTQ", ["engine.quantization"]),
    ("FP8", "DeepSeek-R1-Distill-Llama-8B-FP8-dynamic", "by compressed-tensors, and FP8", ["engine.quantization"]),
    ("None", "DeepSeek-R1-Distill-Llama-8B_AWQ", "by awq, and plain weights are", ["engine.quantization"]),
    ("INT8", "DeepSeek-R1-Distill-Llama-8B_AWQ", "quantized by awq, and INT8", ["engine.quantization"]),
    ("FP8", "DeepSeek-R1-Distill-Llama-8B", "FP8 is asked for, and the checkpoint is not", ["engine.quantization"]),
    ("AWQ", "DeepSeek-R1-Distill-Llama-8B", "AWQ is asked for, and the checkpoint is not",
     ["engine.quantization", "model.source"]),
])
def test_a_quantization_that_is_not_the_checkpoints_is_refused(
    quantization: str, name: str, says: str, fields: list[str],
) -> None:
    source, spec = f"pvc://models/{name}", {"engine": {"quantization": quantization, "maxModelLen": 4096}}
    found = judged(source, "L4", **spec)
    assert says in found.message
    assert [field for field, _ in offers(found)] == fields
    assert mended(source, "L4", **spec).fits == "True"


def test_plain_weights_are_what_a_plain_checkpoint_has() -> None:
    found = judged(DISTILL + "Llama-8B", "L4", engine={"quantization": "None", "maxModelLen": 4096})
    assert found.fits == "True"
    assert "--quantization" not in engine.argv(found.case.serve)


@pytest.mark.parametrize(("quantization", "name"), [
    ("AWQ", "DeepSeek-R1-Distill-Llama-8B_AWQ"), ("GPTQ", "deepseek-ai-DeepSeek-R1-Distill-Qwen-7B-3bit"),
    ("Auto", "DeepSeek-R1-Distill-Llama-8B_AWQ"), ("Auto", "DeepSeek-R1-Distill-Llama-8B-quantized.w4a16"),
])
def test_the_checkpoints_own_quantization_is_admitted(quantization: str, name: str) -> None:
    found = judged(f"pvc://models/{name}", "A10G", engine={"quantization": quantization, "maxModelLen": 4096})
    assert found.fits == "True"


def test_an_older_engine_made_fp8_of_plain_weights_and_ran_on_older_gpus() -> None:
    old = {"engine": {"quantization": "FP8", "maxModelLen": 4096, "image": f"{VLLM}:v0.8.5"}}
    assert judged(DISTILL + "Qwen-7B", "A10G", **old).fits == "True"
    assert judged(DISTILL + "Qwen-1.5B", "V100-16GB", engine={
        "maxModelLen": 4096, "image": f"{VLLM}:v0.8", "dtype": "Float16"}).fits == "True"
    assert judged(DISTILL + "Qwen-1.5B", "V100-16GB", engine={
        "maxModelLen": 4096, "image": f"{VLLM}:v0.32.0", "dtype": "Float16"}).fits == "False"


@pytest.mark.parametrize(("image", "gpu", "engine", "says"), [
    ("v0.8.5", "T4", {}, "the checkpoint is in bfloat16, which Tesla-T4 does not have"),
    ("v0.9.0", "T4", {}, ""), ("v0.8.5", "A10G", {}, ""), ("v0.8.5", "T4", {"dtype": "Float16"}, ""),
    ("v0.8.5", "T4", {"quantization": "FP8", "dtype": "Float16"}, "fp8 needs compute capability 8.0"),
    ("v0.12.0", "T4", {"quantization": "FP8", "dtype": "Float16"}, ""),
])
def test_an_older_engine_can_do_less(image: str, gpu: str, engine: dict[str, Any], says: str) -> None:
    found = of(llama(), gpu, engine={"image": f"registry.local:5000/vllm-openai:{image}", **engine})
    assert found.message.startswith(says) if says else found.fits == "True"
    assert (found.fits == "False") == bool(says)


@pytest.mark.parametrize(("method", "asked_for", "image", "is_refused"), [
    ("awq", "AWQ", "v0.22.1", True), ("awq", "AWQ", "v0.23.0", False), ("awq", "Auto", "v0.22.1", False),
    ("gptq", "GPTQ", "v0.15.1", True), ("gptq", "GPTQ", "v0.22.1", False),
])
def test_older_engines_compute_awq_and_gptq_in_float16_alone_where_it_is_asked_for_by_name(
    method: str, asked_for: str, image: str, is_refused: bool,
) -> None:
    raw = llama(quantization_config={"quant_method": method, "bits": 4, "group_size": 128})
    found = of(raw, "A10G", engine={"quantization": asked_for, "dtype": "BFloat16", "image": f"{VLLM}:{image}"})
    assert reasons(found) == (["DtypeUnsupported"] if is_refused else [])


@pytest.mark.parametrize(("image", "is_refused"), [
    (f"{VLLM}:v0.8.5", False), (f"{VLLM}:v0.9.1", True), (None, True), ("x", False),
])
def test_gemma_in_float16_is_refused_by_engines_that_refuse_it(image: str | None, is_refused: bool) -> None:
    raw = llama(architectures=["Gemma2ForCausalLM"], model_type="gemma2", torch_dtype="float32")
    found = of(raw, "T4", engine={"dtype": "Float16", **({"image": image} if image else {})})
    assert reasons(found) == (["DtypeUnsupported"] if is_refused else [])


@pytest.mark.parametrize(("image", "warning"), [
    (f"{VLLM}:v0.32.0", ""), (f"{VLLM}:v0.32.0@sha256:0", ""), (None, ""),
    (f"{VLLM}:v0.8.5.post1", "what vLLM can do is known of 0.32.0: vllm/vllm-openai:v0.8.5.post1 may refuse"),
    (f"{VLLM}:v0.33.0", "what vLLM can do is known of 0.32.0: vllm/vllm-openai:v0.33.0 may refuse"),
    ("nvcr.io/nvidia/vllm:25.10-py3", "the tag of nvcr.io/nvidia/vllm:25.10-py3 names no release of vLLM"),
    ("harbor.local/mirror/vllm/vllm-openai-cpu:v0.32.0", ""), ("vllm-openai:v0.32", ""),
    ("lmcache/vllm-openai:v0.3.9", "the tag of lmcache/vllm-openai:v0.3.9 names no release of vLLM"),
    ("acme/llm:0.7.1", "the tag of acme/llm:0.7.1 names no release of vLLM"),
    ("localhost:5000/vllm", "the tag of localhost:5000/vllm names no release of vLLM"),
])
def test_an_image_of_another_release_is_judged_and_warned_of(image: str | None, warning: str) -> None:
    found = of(llama(), "A10G", engine={"image": image} if image else {})
    assert found.fits == "True"
    assert [said.startswith(warning) for said in found.warnings] == ([True] if warning else [])


def test_a_method_that_the_gpu_cannot_run_is_refused_with_one_that_can() -> None:
    raw = llama(quantization_config={"quant_method": "modelopt", "quant_algo": "FP8"})
    found = of(raw, "T4", engine={"dtype": "Float16"})
    assert found.message == "modelopt needs compute capability 8.0, and Tesla-T4 has 7.5"
    assert offers(found)[0] == ("scheduling.nodeSelector", '{"nvidia.com/gpu.product": "NVIDIA-GeForce-RTX-3060-Ti"}')


@pytest.mark.parametrize(("gpu", "engine", "value"), [
    ("A10G", {"dtype": "Float32"}, "Auto"), ("T4", {"dtype": "Float32"}, "Float16"),
])
def test_a_method_computes_in_some_formats_only(gpu: str, engine: dict[str, Any], value: str) -> None:
    found = judged("pvc://models/DeepSeek-R1-Distill-Llama-8B_AWQ", gpu, engine={**engine, "maxModelLen": 1024})
    assert "awq computes in float16 or bfloat16, not in float32" in found.message
    assert ("engine.dtype", value) in offers(found)


def test_a_method_that_needs_bfloat16_is_offered_it() -> None:
    raw = llama(torch_dtype="float16", quantization_config={"quant_method": "mxfp8"})
    assert of(raw, "A10G").fits == "Unknown"           # no formula for its bytes


def test_what_a_plugin_would_have_to_bring_is_unknown() -> None:
    found = of(llama(quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True}))
    assert found.fits == "Unknown"
    assert found.missing == (
        "vLLM 0.32.0 itself has no bitsandbytes: whether the image has it is not known",)
    assert found.case.sizing


def test_whole_numbers_for_experts_do_nothing_for_a_model_that_has_none() -> None:
    dense = judged(DISTILL + "Qwen-7B", "A10G", engine={"quantization": "INT8", "maxModelLen": 4096})
    assert "this model has none" in dense.warnings[0]
    mixed = of(llama(num_experts=8, moe_intermediate_size=256), engine={"quantization": "INT8"})
    assert mixed.warnings == ()


# Number formats

def test_a_model_that_is_unstable_in_float16_is_not_computed_in_it() -> None:
    asked = of(gemma3(), engine={"dtype": "Float16", "maxModelLen": 4096})
    assert reasons(asked) == ["DtypeUnsupported"]
    assert offers(asked) == [("engine.dtype", "Auto")]
    on_t4 = of(gemma3(), "T4", engine={"maxModelLen": 1024})
    assert on_t4.case.plan
    assert on_t4.case.plan.setup.dtype == "float32"
    assert on_t4.fits == "False"                         # in 32 bits it is too large
    assert ("engine.dtype", "Float32") in offers(of(gemma3(), "T4", engine={"dtype": "BFloat16", "maxModelLen": 1024}))


def test_a_checkpoint_of_32_bits_is_computed_in_16() -> None:
    found = of(llama(torch_dtype="float32"))
    assert found.case.plan
    assert found.case.plan.setup.dtype == "bfloat16"


def test_a_cache_of_8_bits_needs_a_gpu_that_has_code_for_it() -> None:
    found = judged(DISTILL + "Qwen-1.5B", "T4", engine={"kvCacheDtype": "FP8", "maxModelLen": 4096})
    assert reasons(found) == ["QuantizationUnsupported"]
    assert offers(found)[0] == ("engine.kvCacheDtype", "Auto")
    latent = judged(R1, "A100-80GB", engine={"kvCacheDtype": "FP8"}, resources={"gpu": {"count": 16}})
    assert "a KV cache in FP8 needs 8.9" in latent.message


def test_sparse_attention_needs_a_hopper() -> None:
    found = judged("hf://deepseek-ai/DeepSeek-V3.2", "A100-80GB", resources={"gpu": {"count": 16}})
    assert "has compute capability 8.0, and vLLM 0.32.0 needs 9.0 for sparse attention" in found.message
    assert offers(found)[0][0] == "scheduling.nodeSelector"


# Numbers

def test_a_context_beyond_the_models_own_is_refused_unless_the_engine_is_told_to_allow_it() -> None:
    asked = {"maxModelLen": 200_000, "kvCacheDtype": "FP8"}
    found = judged(DISTILL + "Qwen-1.5B", "H100", engine=asked)
    assert found.message == "a context of 200000 tokens is asked for, and the model's own is 131072"
    assert offers(found) == [("engine.maxModelLen", "131072")]
    allowed = {**asked, "env": [{"name": "VLLM_ALLOW_LONG_MAX_MODEL_LEN", "value": " True"}]}
    assert judged(DISTILL + "Qwen-1.5B", "H100", engine=allowed).fits == "True"
    overridden = judged(DISTILL + "Qwen-1.5B", "H100", engine={**asked, "extraArgs": ["--hf-overrides", "{}"]})
    assert overridden.fits == "Unknown"


def test_more_ranks_than_gpus_and_a_step_smaller_than_its_requests_are_refused() -> None:
    found = judged(DISTILL + "Qwen-1.5B", "H100", resources={"parallelism": {"tensor": 2}},
                   engine={"maxNumSeqs": 512, "maxNumBatchedTokens": 256})
    assert reasons(found) == ["NotEnoughDevices", "InvalidArgument"]
    assert [[fix.value for fix in remedy.fixes] for remedy in found.remedies] == [["2", "256"], ["1", "256"]]
    assert [[fix.field for fix in finding.fixes] for finding in found.refusals] == [
        ["spec.resources.gpu.count", "spec.resources.parallelism.tensor"], ["spec.engine.maxNumSeqs"]]


def test_ranks_of_a_number_of_its_own_are_changed_within_the_gpus_of_the_pod() -> None:
    found = judged(DISTILL + "Qwen-32B", "H100", resources={"gpu": {"count": 3}, "parallelism": {"tensor": 3}})
    assert offers(found) == [("resources.parallelism.tensor", "2")]


@pytest.mark.parametrize(("resources", "expected"), [
    ({"gpu": {"count": 4}, "parallelism": {"tensor": 12}}, [("resources.parallelism.tensor", "4")]),
    ({"gpu": {"count": 8}, "parallelism": {"tensor": 128}}, [("resources.parallelism.tensor", "8")]),
    ({"gpu": {"count": 1}, "parallelism": {"tensor": 1, "pipeline": 2}}, [("resources.gpu.count", "2")]),
    ({"gpu": {"count": 4}, "parallelism": {"tensor": 8}},
     [("resources.gpu.count", "8"), ("resources.parallelism.tensor", "4")]),
])
def test_as_many_ranks_are_offered_as_there_are_gpus_for_and_a_pod_may_have(
    resources: dict[str, Any], expected: list[tuple[str, str]],
) -> None:
    assert offers(judged(DISTILL + "Qwen-32B", "H100", resources=resources)) == expected


def test_a_copy_of_the_model_is_offered_with_all_that_it_needs() -> None:
    found = judged(DISTILL + "Llama-8B", "L4", engine={"quantization": "INT8", "maxModelLen": 100_000})
    groups = [[(fix.field, fix.value) for fix in remedy.fixes] for remedy in found.remedies]
    copies = [group for group in groups if group[0][0] == "spec.model.source"]
    assert len(copies) > 1
    assert {group[1] for group in copies} == {("spec.engine.quantization", "Auto")}


def test_an_older_engine_is_offered_the_context_that_fits() -> None:
    older = {"image": f"{VLLM}:v0.8.5", "maxModelLen": 131072, "dtype": "Float16"}
    found = judged(DISTILL + "Llama-8B", "V100-32GB", engine=older)
    assert offers(found)[0][0] == "engine.maxModelLen"


def test_one_problem_of_division_is_said_alone() -> None:
    found = judged(DISTILL + "Qwen-32B", resources={"gpu": {"count": 16}})
    assert found.message.startswith("40 attention heads cannot be divided by 16")


def test_a_vocabulary_is_divided_without_a_rest_as_vllm_does_it() -> None:
    raw = llama(num_attention_heads=6, num_key_value_heads=6, vocab_size=128256, intermediate_size=1536, head_dim=64)
    found = of(raw, resources={"gpu": {"count": 6}})
    assert found.fits != "False"
    odd = of({**raw, "vocab_size": 32000}, resources={"gpu": {"count": 6}})
    assert odd.message == "a vocabulary of 32000 rows cannot be divided by 6"


# Memory

def test_a_cache_of_fixed_size_must_hold_a_request_and_leave_room() -> None:
    small = judged(DISTILL + "Qwen-7B", "A10G", engine={"maxModelLen": 8192, "kvCacheMemory": "64Mi"})
    assert small.message == ("one request of 8192 tokens takes 448 MiB of KV cache, and kvCacheMemory is 64; "
                             "at most 1,152 tokens fit")
    assert offers(small)[:2] == [("engine.maxModelLen", "1152"), ("engine.kvCacheMemory", "448Mi")]
    large = judged(DISTILL + "Qwen-7B", "A10G", engine={"maxModelLen": 8192, "kvCacheMemory": "12Gi"})
    assert large.message == ("needs 28.3 GiB, has 22.1: weights 14.3, KV cache 12.0, overhead 2.0; "
                             "kvCacheMemory can be 5909 MiB")
    assert offers(large)[0] == ("engine.kvCacheMemory", "448Mi")


def test_half_the_cache_is_offered_where_the_gpu_computes_in_8_bits() -> None:
    found = judged(DISTILL + "Llama-8B", "L4", engine={"maxModelLen": 30000})
    assert ("engine.kvCacheDtype", "FP8") in offers(found)
    assert ("engine.kvCacheDtype", "FP8") not in offers(
        judged(DISTILL + "Llama-8B", "L4", engine={"maxModelLen": 30000, "kvCacheDtype": "FP8E4M3",
                                                  "memoryUtilizationPercent": 84}))


def test_within_the_measured_error_it_is_admitted_with_a_warning() -> None:
    found = judged(DISTILL + "Llama-8B", "A10G", engine={"maxModelLen": 24576})
    assert found.fits == "True"
    assert found.warnings == ("this is closer than the sum is sure of: the engine may still find too little memory",)


def test_without_a_gpu_the_sum_is_told_and_nothing_is_decided() -> None:
    found = judged(DISTILL + "Llama-8B", engine={"kvCacheMemory": "8Gi", "maxModelLen": 8192})
    assert (found.fits, found.message) == (
        "Unknown", "the GPU is not known: spec.scheduling.nodeSelector has no nvidia.com/gpu.product")
    ((field, value),) = offers(found)
    assert (field, "NVIDIA-RTX-5000-Ada-Generation" in value) == ("scheduling.nodeSelector", True)
    assert found.case.sizing
    assert found.case.sizing.tokens == 65536


def test_without_a_gpu_a_cache_that_is_too_small_is_refused_all_the_same() -> None:
    found = judged(DISTILL + "Llama-8B", engine={"kvCacheMemory": "1Gi", "maxModelLen": 131072})
    assert reasons(found) == ["KVCacheTooSmall"]
    assert offers(found) == [("engine.maxModelLen", "8176"), ("engine.kvCacheMemory", "16384Mi")]


def test_on_cpu_the_cache_is_what_counts() -> None:
    found = judged(DISTILL + "Qwen-1.5B", "T4", engine={"device": "CPU", "maxModelLen": 8192})
    assert (found.fits, found.message) == ("True", "no limit of memory is set; the KV cache holds 37,376 tokens")
    limited = judged(DISTILL + "Qwen-1.5B", engine={"device": "CPU", "maxModelLen": 8192}, resources={"memory": "16Gi"})
    assert limited.message.startswith("needs 7.3 GiB, has 16.0: weights 3.3, KV cache 4.0, overhead 0.0")
    assert limited.warnings[0].startswith("on CPU the sum is of weights and KV cache alone")
    assert found.warnings == ()


def test_what_moves_memory_elsewhere_is_not_judged() -> None:
    found = judged(DISTILL + "Llama-8B", "T4", engine={"extraArgs": ["--cpu-offload-gb=8"], "dtype": "Float16"})
    assert found.message == "--cpu-offload-gb is not part of the sum"


@pytest.mark.parametrize(("arguments", "flag"), [
    (["-dp", "2"], "--data-parallel-size"), (["-dp=2"], "--data-parallel-size"),
    (["-cc.mode", "3"], "--compilation-config"),
    (["--compilation_config.mode=3"], "--compilation-config"), (["-pcp", "2"], "--prefill-context-parallel-size"),
    (["--rope-scaling", '{"type": "linear"}'], "--rope-scaling"), (["--enable-lora"], "--enable-lora"),
    (["--num-gpu-blocks-override=10"], "--num-gpu-blocks-override"), (["--cpu-offload-g", "4"], "--cpu-offload-gb"),
    (["--speculative-config", '{"model": "a/b"}'], "--speculative-config"), (["--spec-model", "a/b"], "--spec-model"),
    (["--speculative-config.model", "a/b", "--speculative-config.method", "mtp"], "--speculative-config"),
    (["--speculative-config", "broken"], "--speculative-config"), (["--speculative-config=[]"], "--speculative-config"),
    (["--spec-method", "eagle"], "--spec-method"),
    (["--load-format", "bitsandbytes"], "--load-format"),
])
def test_an_argument_that_the_sum_does_not_count_makes_it_unknown_and_is_named(
    arguments: list[str], flag: str,
) -> None:
    found = judged(DISTILL + "Llama-8B", "A10G", engine={"extraArgs": arguments, "maxModelLen": 131072})
    assert found.fits == "Unknown"
    assert found.missing == (f"{flag} is not part of the sum",)


@pytest.mark.parametrize("arguments", [
    ["--speculative-config", '{"method": "ngram", "num_speculative_tokens": 4}'], ["--load-format", "safetensors"],
    ["--reasoning-parser", "deepseek_r1"], ["--seed", "-1"],
])
def test_an_argument_that_takes_no_memory_changes_nothing(arguments: list[str]) -> None:
    found = judged(DISTILL + "Llama-8B", "A10G", engine={"extraArgs": arguments, "maxModelLen": 4096})
    assert (found.fits, found.warnings) == ("True", ())


def test_an_argument_by_which_the_sum_may_be_a_little_off_is_a_warning() -> None:
    found = judged(DISTILL + "Llama-8B", "A10G", engine={"extraArgs": ["-O0", "-ac", "{}"], "maxModelLen": 4096})
    assert found.fits == "True"
    assert found.warnings == (
        "--optimization-level and --attention-config is not part of the sum, which may be off by that",)


def test_a_model_that_is_overridden_is_not_divided_by_its_config() -> None:
    spec = {"resources": {"gpu": {"count": 3}}, "engine": {"extraArgs": ["--hf-overrides.num_attention_heads", "36"]}}
    assert judged(DISTILL + "Qwen-32B", "H100", **spec).fits == "Unknown"


# What is not known

def test_an_unknown_architecture_is_unknown_unless_its_files_alone_are_too_large() -> None:
    fitting = judged(V4, "B200")
    assert (fitting.fits, fitting.message) == ("Unknown", "no formula for this architecture: DeepseekV4ForCausalLM")
    refused = judged(V4, "H100")
    assert refused.message == "the weights alone are 148.7 GiB, and 1 x 79.2 GiB is all there is"
    assert refused.fixes == ()


def test_no_config_and_a_damaged_one_are_unknown() -> None:
    assert "config.json is not known" in judged("hf://somebody/model", "A10G").message
    damaged = of(llama(vocab_size=None))
    assert (damaged.fits, damaged.message) == ("Unknown", "config.json has no vocab_size")
    assert of(llama(vocab_size=None), engine={"quantization": "AWQ"}).fits == "False"


@pytest.mark.parametrize(("resource", "label", "says"), [
    ("amd.com/gpu", None, "spec.resources.gpu.resourceName is amd.com/gpu, and only nvidia.com/gpu and its slices"),
    ("nvidia.com/gpu.shared", "NVIDIA-A10G", "nvidia.com/gpu.shared is shared with other pods"),
    ("nvidia.com/gpu", "NVIDIA-A10G-SHARED", "NVIDIA-A10G-SHARED is shared with other pods"),
])
def test_what_is_no_whole_gpu_of_its_own_is_unknown(resource: str, label: str | None, says: str) -> None:
    source, gpu = DISTILL + "Qwen-1.5B", {"gpu": {"resourceName": resource}}
    known_ = replace(known(source, label), gpu_name=label or "")
    found = fits.judge(serve(source, resources=gpu, engine={"maxModelLen": 4096}), known_)
    assert found.fits == "Unknown"
    assert found.missing[0].startswith(says)
    awq = fits.judge(serve(source, resources=gpu, engine={"quantization": "AWQ"}), known_)
    assert reasons(awq) == ["QuantizationMissingConfig"]


@pytest.mark.parametrize(("resource", "label", "context", "expected"), [
    ("nvidia.com/mig-1g.10gb", None, 4096, "True"), ("nvidia.com/mig-1g.10gb", "A100-80GB", 4096, "True"),
    ("nvidia.com/mig-1g.5gb", "A100-40GB", 65536, "False"),
    ("nvidia.com/gpu", "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", 4096, "True"),
    ("nvidia.com/gpu", "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", 65536, "False"),
])
def test_a_slice_of_a_gpu_has_the_memory_that_its_name_says(
    resource: str, label: str | None, context: int, expected: str,
) -> None:
    source = DISTILL + "Qwen-1.5B"
    asked = serve(source, resources={"gpu": {"resourceName": resource}}, engine={"maxModelLen": context})
    found = fits.judge(asked, replace(known(source, label), gpu_name=label or ""))
    assert found.fits == expected
    assert any("is what its name says, less 5 %" in warning for warning in found.warnings)
    assert any("compute capability" in warning for warning in found.warnings) == (label is None)


# Defaults and arguments

@pytest.mark.parametrize(("gpu", "sequences", "tokens"), [
    ("A10G", 256, 2048), ("A100-80GB", 256, 2048), ("H100", 1024, 8192), ("B200", 1024, 16384), (None, 256, 2048),
])
def test_requests_and_tokens_of_a_step_are_the_engines_defaults_for_the_gpu(
    gpu: str | None, sequences: int, tokens: int,
) -> None:
    plan = judged(R1, gpu).case.plan
    assert plan
    assert (plan.setup.sequences, plan.setup.batched_tokens) == (sequences, tokens)


def test_a_default_step_has_no_more_tokens_than_all_requests_together() -> None:
    plan = judged(R1, "H100", engine={"maxModelLen": 512, "maxNumSeqs": 4}).case.plan
    assert plan
    assert plan.setup.batched_tokens == 2048


@pytest.mark.parametrize(("arguments", "block", "draft"), [
    ([], 16, False), (["--block-size", "64"], 64, False), (["--block_size=128"], 128, False),
    (["--block-size", "--other"], 16, False), (["--block-size", "0"], 16, False), (["--block-size"], 16, False),
    (["--speculative-config", '{"method": "mtp"}'], 16, True), (["--speculative-config={}"], 16, False),
    (["-sc", '{"method": "deepseek_mtp"}'], 16, True), (["--speculative_config.method=mtp"], 16, True),
    (["--spec-method", "mtp"], 16, True), (["--block-size", "64", "--block-size=32"], 32, False),
])
def test_extra_arguments_that_change_the_sum_are_read(arguments: list[str], block: int, draft: bool) -> None:
    plan = judged(R1, "H200", engine={"extraArgs": arguments}, resources={"gpu": {"count": 8}}).case.plan
    assert plan
    assert (plan.setup.block_tokens, plan.setup.draft) == (block, draft)


def test_without_chunked_prefill_a_step_holds_a_whole_prompt() -> None:
    whole = {"maxModelLen": 8192, "extraArgs": ["--no-enable-chunked-prefill"]}
    plan = judged(DISTILL + "Qwen-1.5B", "A10G", engine=whole).case.plan
    assert plan
    assert plan.setup.batched_tokens == 8192
    short = judged(DISTILL + "Qwen-1.5B", "A10G", engine={**whole, "maxNumBatchedTokens": 4096})
    assert reasons(short) == ["InvalidArgument"]
    assert offers(short) == [("engine.maxNumBatchedTokens", "8192")]


def test_a_model_that_brings_code_is_mentioned_where_nobody_trusts_it() -> None:
    raw = llama(architectures=["OwnModel"], auto_map={"AutoModel": "own.OwnModel"})
    assert "trustRemoteCode is false" in of(raw).warnings[0]
    trusting = {"model": {"source": "hf://own/model", "trustRemoteCode": True}}
    assert fits.judge(serve("x", **trusting), fits.Known(raw)).warnings == ()


def test_longrope_is_left_out_unless_a_longer_context_is_asked_for() -> None:
    raw = llama(original_max_position_embeddings=1024, rope_scaling={"type": "longrope"})
    assert of(raw).case.context == 1024
    assert of(raw, engine={"maxModelLen": 4096}).fits == "True"
    assert of(llama(rope_scaling={"type": "longrope"})).case.context == 4096


@pytest.mark.parametrize(("more", "image", "context", "expected"), [
    ({"model_max_length": 8192}, None, 8192, "True"), ({"model_max_length": 8192}, None, 8193, "False"),
    ({"model_max_length": 1e30}, None, 4097, "True"), ({"model_max_length": "x"}, None, 4097, "False"),
    ({"rope_scaling": YARN}, None, 16384, "False"), ({"rope_scaling": YARN}, f"{VLLM}:v0.8.5", 16384, "True"),
    ({"rope_scaling": YARN}, f"{VLLM}:v0.8.5", 16385, "False"),
])
def test_the_models_own_context_is_derived_as_the_engine_does_it(
    more: dict[str, Any], image: str | None, context: int, expected: str,
) -> None:
    engine = {"maxModelLen": context, **({"image": image} if image else {})}
    assert of(llama(**more), engine=engine).fits == expected


# Fixes

def test_fixes_are_applied_as_a_user_would_and_refused_as_the_resource_would() -> None:
    edited = fits.edited(serve(R1), [
        Fix("spec.engine.maxModelLen", "4096", ""), Fix("spec.engine.kvCacheMemory", "64Mi", ""),
        Fix("spec.scheduling.nodeSelector", json.dumps({"a": "b"}), "")])
    assert edited.spec.engine.max_model_len == 4096
    assert edited.spec.engine.kv_cache_memory == "64Mi"
    assert fits.product(edited) is None
    with pytest.raises(InvalidSpec):
        fits.edited(serve(R1), [Fix("spec.engine.maxModelLen", "many", "")])


def test_a_fix_that_the_resource_does_not_take_is_not_offered() -> None:
    case = fits.case_of(serve(R1), known(R1, "H200"))
    assert mended_case(case, [Fix("spec.engine.maxModelLen", "many", "")]) is None


def test_a_contradiction_is_no_verdict() -> None:
    spec = {"resources": {"gpu": {"count": 3}, "parallelism": {"pipeline": 2}}}
    with pytest.raises(InvalidSpec, match="no multiple"):
        judged(R1, "H200", **spec)


def test_a_gpu_of_which_only_the_memory_is_known_is_judged_by_that() -> None:
    some = replace(known(DISTILL + "Llama-8B", None), gpu=catalog.Gpu("some card", 22 * GIB))
    found = fits.judge(serve(DISTILL + "Llama-8B", engine={"maxModelLen": 8192, "kvCacheDtype": "FP8"}), some)
    assert found.fits == "True"
    assert found.warnings[0].startswith("the compute capability of some card is not known: whether it can compute in")


# A KV cache in FP8

SCALED = {"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}


@pytest.mark.parametrize(("described", "engine", "bytes_"), [
    (SCALED, {}, 1), (SCALED, {"kvCacheDtype": "BFloat16"}, 2), (SCALED, {"image": "x:latest"}, 1),
    (SCALED, {"image": f"{VLLM}:v0.10.2"}, 2),
    ({"quant_method": "modelopt", "quant_algo": "FP8"}, {}, 2),
])
def test_a_checkpoint_with_scales_for_an_fp8_cache_has_one(
    described: dict[str, Any], engine: dict[str, Any], bytes_: int,
) -> None:
    found = of(llama(quantization_config=described), "H100", engine=engine)
    assert found.fits == "True"
    assert found.case.sizing
    assert found.case.sizing.token == 4 * 2 * 2 * 64 * bytes_


@pytest.mark.parametrize(("described", "is_refused"), [
    ({"quant_method": "fp8"}, True), (SCALED, True), ({"quant_method": "awq", "bits": 4, "group_size": 128}, False),
    (None, False),
])
def test_fp8e5m2_does_not_go_with_an_fp8_checkpoint(described: dict[str, Any] | None, is_refused: bool) -> None:
    raw = llama(**({"quantization_config": described} if described else {}))
    found = of(raw, "H100", engine={"kvCacheDtype": "FP8E5M2"})
    assert reasons(found) == (["QuantizationUnsupported"] if is_refused else [])
    assert offers(found) == ([("engine.kvCacheDtype", "FP8")] if is_refused else [])


# What else helps, and what else is doubtful

def test_a_share_of_the_memory_that_is_too_small_can_be_larger() -> None:
    small = {"memoryUtilizationPercent": 50, "maxModelLen": 8192}
    found = judged(DISTILL + "Qwen-7B", "RTX-4090", engine=small)
    assert found.fits == "False"
    assert ("engine.memoryUtilizationPercent", "90") in offers(found)
    assert judged(DISTILL + "Qwen-7B", "RTX-4090", engine={**small, "memoryUtilizationPercent": 90}).fits == "True"


@pytest.mark.parametrize(("arguments", "warning"), [
    (["--no-such-flag", "3"], "vLLM 0.32.0 has no --no-such-flag"),
    (["--max-num-sequence=3"], "vLLM 0.32.0 has no --max-num-sequence: the nearest is --max-num-seqs"),
    (["--tool-call-parser", "nosuch"], "vLLM 0.32.0 takes no nosuch for --tool-call-parser"),
    (["--tool-call-parser", "deepseek-v3"], "vLLM 0.32.0 takes no deepseek-v3 for --tool-call-parser: the nearest is "),
    (["--reasoning-parser-plugin", "/models/mine.py", "--reasoning-parser", "mine"], ""),
    (["--tool-call-parser", "mine", "--tool-parser-plugin", "/models/mine.py"], ""),
    (["--tool-call-parser", "hermes", "--enable-auto-tool-choice"], ""),
    (["--enable-auto-tool-choice"], "--enable-auto-tool-choice needs --tool-call-parser"),
    (["--reasoning-parser="], ""),
    (["--load-format", "foo"], "vLLM 0.32.0 takes no foo for --load-format"),
    (["--no-enable-chunked-prefill", "--seed", "-1", "-O3", "-asc", "2", "--compilation_config.mode", "3"], ""),
    (["--max-loras", "2", "--disable-log-st"], ""),
])
def test_arguments_that_the_engine_does_not_have_are_warned_of(arguments: list[str], warning: str) -> None:
    found = of(llama(), engine={"extraArgs": arguments})
    assert found.fits != "False"
    assert [said[:len(warning)] for said in found.warnings if "vLLM" in said or "needs" in said] == (
        [warning] if warning else [])
    newer = of(llama(), engine={"extraArgs": arguments, "image": f"{VLLM}:v0.33.0"})
    assert newer.warnings[0].startswith("what vLLM can do")


@pytest.mark.parametrize("arguments", [["--runner", "pooling"], ["--task=embed"], ["--convert", "classify"]])
def test_a_pooling_model_has_no_head(arguments: list[str]) -> None:
    raw = llama(vocab_size=65536)
    found, whole = (of(raw, engine={"extraArgs": extra}).case.sizing for extra in (arguments, []))
    assert found
    assert whole
    assert whole.weights - found.weights == 65536 * 512 * 2


def test_a_checkpoints_own_fp8_cache_is_refused_where_the_gpu_has_no_code_for_it() -> None:
    raw = llama(torch_dtype="float16", quantization_config={
        "quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8, "type": "float"},
        "config_groups": {"group_0": {"weights": {"num_bits": 4, "strategy": "group", "group_size": 128}}}})
    for said in ("Auto", "FP8"):
        found = of(raw, "T4", engine={"kvCacheDtype": said})
        assert reasons(found) == ["QuantizationUnsupported"]
        assert offers(found)[0] == ("engine.kvCacheDtype", "Float16")
    assert of(raw, "T4", engine={"kvCacheDtype": "Float16"}).fits == "True"
    assert of(raw, "A10G").fits == "True"
    assert reasons(of(raw, "A10G", engine={"kvCacheDtype": "FP8E5M2"})) == ["QuantizationUnsupported"]
    older = of(raw, "A10G", engine={"kvCacheDtype": "FP8E5M2", "image": f"{VLLM}:v0.15.1"})
    assert older.fits == "True"


def test_a_latent_cache_in_fp8_is_refused_before_ada_with_bfloat16_in_its_place() -> None:
    raw = {**config("DeepSeek-V2-Lite"), "quantization_config": {
        "quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8, "type": "float"},
        "config_groups": {"group_0": {"weights": {"num_bits": 8, "strategy": "channel"}}}}}
    found = of(raw, "A100-80GB", engine={"maxModelLen": 4096})
    assert offers(found) == [("engine.kvCacheDtype", "BFloat16")]


def test_on_cpu_older_engines_take_awq_in_bfloat16() -> None:
    raw = llama(quantization_config={"quant_method": "awq", "bits": 4, "group_size": 128})
    engine = {"device": "CPU", "quantization": "AWQ", "image": "vllm/vllm-openai-cpu:v0.10.2"}
    assert of(raw, None, engine=engine, resources={"memory": "64Gi"}).fits == "True"


def test_gemma_by_an_image_without_a_release_is_summed_as_0_32_would_take_it() -> None:
    raw = llama(architectures=["Gemma2ForCausalLM"], model_type="gemma2")
    plan = of(raw, "T4", engine={"image": "vllm/vllm-openai:latest"}).case.plan
    assert plan
    assert plan.setup.dtype == "float32"


@pytest.mark.parametrize(("gpu", "image", "sequences", "tokens"), [
    ("B200", "v0.32.0", 1024, 16384), ("B200", "v0.22.1", 1024, 8192), ("B200", "v0.7.3", 256, 4096),
    ("A100-80GB", "v0.32.0", 256, 2048), ("A100-80GB", "v0.8.5", 1024, 8192), ("A10G", "v0.8.5", 256, 2048),
])
def test_what_a_step_holds_unasked_depends_on_gpu_and_release(
    gpu: str, image: str, sequences: int, tokens: int,
) -> None:
    plan = of(llama(), gpu, engine={"image": f"{VLLM}:{image}"}).case.plan
    assert plan
    assert (plan.setup.sequences, plan.setup.batched_tokens) == (sequences, tokens)


def test_an_older_engine_that_is_asked_to_chunks_a_prompt() -> None:
    engine = {"image": f"{VLLM}:v0.7.3", "extraArgs": ["--enable-chunked-prefill"]}
    plan = of(llama(), "A10G", engine=engine).case.plan
    assert plan
    assert plan.setup.batched_tokens == 2048


@pytest.mark.parametrize(("gpu", "image", "tokens"), [
    ("A10G", "v0.7.3", 4096), ("A10G", "v0.8.0", 2048), ("T4", "v0.9.2", 4096), ("T4", "v0.10.0", 2048),
])
def test_a_prompt_was_one_step_of_older_engines(gpu: str, image: str, tokens: int) -> None:
    plan = of(llama(torch_dtype="float16"), gpu, engine={"image": f"{VLLM}:{image}"}).case.plan
    assert plan
    assert plan.setup.batched_tokens == tokens


@pytest.mark.parametrize(("name", "says"), [
    ("V100", "; it has Tesla-V100-SXM2-16GB and Tesla-V100-SXM2-32GB"), ("MI300X", ""),
])
def test_a_name_that_may_mean_several_gpus_is_answered_with_them(name: str, says: str) -> None:
    found = fits.judge(serve("pvc://models/own"), fits.Known(llama(), gpu_name=name))
    assert found.missing == (f"the GPU {name} is not in the catalogue, and its memory is not known{says}",)
