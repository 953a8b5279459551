"""What is offered is followed to the letter: whatever was refused, all checks admit it then."""

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deepseekserve import api, catalog, fits
from deepseekserve.api import InvalidSpec
from deepseekserve.facts import Fix
from tests.unit.fits.cases import known, serve

PRODUCTS = [None, *(gpu.product for gpu in catalog.GPUS)]
_FEW = st.sampled_from([1, 2, 3, 4, 8])


def _optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


SPECS = _optional(
    engine=_optional(
        quantization=st.sampled_from(["Auto", "AWQ", "GPTQ", "FP8", "INT8"]),
        dtype=st.sampled_from(["Auto", "Float16", "BFloat16", "Float32"]),
        maxModelLen=st.sampled_from(["Auto", 1, 16, 1024, 20_000, 100_000, 200_000, 10_000_000]),
        kvCacheDtype=st.sampled_from(["Auto", "FP8", "BFloat16"]),
        kvCacheMemory=st.sampled_from(["1Ki", "64Mi", "8Gi", "200Gi"]),
        maxNumSeqs=st.sampled_from([1, 512, 65536]),
        maxNumBatchedTokens=st.sampled_from([1, 256, 100_000, 10_000_000]),
        image=st.sampled_from(["vllm/vllm-openai:v0.8.5", "vllm/vllm-openai:v0.32.0"]),
        extraArgs=st.sampled_from([[], ["--no-enable-chunked-prefill"], ["--enable-expert-parallel"],
                                   ["--block-size", "64"]]),
    ),
    resources=_optional(
        gpu=_optional(count=_FEW),
        parallelism=_optional(tensor=st.sampled_from(["Auto", 1, 2, 3, 12, 128]), pipeline=st.sampled_from([1, 2, 3])),
    ),
)


def judged_after(asked: api.DeepSeekServe, gpu: str | None, fixes: tuple[Fix, ...]) -> fits.Verdict:
    """As a user does it: the edits written into the resource, and `plan` asked again."""
    edited = fits.edited(asked, fixes)
    moved = [fix for fix in fixes if fix.field == "spec.scheduling.nodeSelector"]
    return fits.judge(edited, known(edited.spec.model.source, fits.product(edited) if moved else gpu))


def obeys_the_rules_of_the_crd(spec: api.Spec) -> bool:
    """What the API server alone checks (CEL) of the fields that are offered."""
    count, parallelism, engine = spec.resources.gpu.count or 1, spec.resources.parallelism, spec.engine
    ranks = parallelism.tensor * parallelism.pipeline if isinstance(parallelism.tensor, int) else count
    return ranks <= count and count % parallelism.pipeline * (parallelism.tensor == "Auto") == 0 and (
        not engine.max_num_batched_tokens or engine.max_num_batched_tokens >= (engine.max_num_seqs or 0))


# An edit that makes room lets Auto be a longer context, for which another edit is too little.
GROWS = {"engine": {"extraArgs": ["--no-enable-chunked-prefill"], "kvCacheMemory": "64Mi", "maxNumBatchedTokens": 1}}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(next(m for m in catalog.MODELS if m.id.endswith("R1-0528-Qwen3-8B")), "NVIDIA-GeForce-GTX-1660-SUPER", GROWS)
@given(st.sampled_from(catalog.MODELS), st.sampled_from(PRODUCTS), SPECS)
def test_what_is_offered_ends_in_what_is_admitted(model: catalog.CatalogModel, gpu: str | None, spec: Any) -> None:
    asked = serve(f"hf://{model.id}", **spec)
    try:
        first = fits.judge(asked, known(asked.spec.model.source, gpu))
    except InvalidSpec:
        return
    if first.fits != "False":
        return
    for fixes in [*(remedy.fixes for remedy in first.remedies), first.fixes] if first.remedies else []:
        then = judged_after(asked, gpu, fixes)
        assert then.fits != "False", (fixes, then.message)
        assert set(then.missing) <= set(first.missing)
        assert obeys_the_rules_of_the_crd(fits.edited(asked, fixes).spec)


@pytest.mark.parametrize(("field", "asked", "offered"), [
    ("maxNumBatchedTokens", 100_000, "2048"), ("maxNumSeqs", 2048, "256"),
])
def test_a_step_that_is_too_large_is_offered_smaller(field: str, asked: int, offered: str) -> None:
    source = "hf://deepseek-ai/DeepSeek-R1-Distill-Llama-8B"
    spec = {"engine": {field: asked, "maxModelLen": 4096}}
    found = fits.judge(serve(source, **spec), known(source, "A10G"))
    assert [(fix.field, fix.value) for fix in found.remedies[0].fixes] == [(f"spec.engine.{field}", offered)]


def test_ranks_of_a_number_of_its_own_are_not_spread_over_more_gpus() -> None:
    source = "hf://deepseek-ai/DeepSeek-R1"
    found = fits.judge(serve(source, resources={"parallelism": {"tensor": 1}}), known(source, "A10G"))
    assert (found.fits, found.remedies) == ("False", ())
    spread = fits.judge(serve(source), known(source, "A10G"))
    assert [fix.value for fix in spread.remedies[0].fixes] == ['{"nvidia.com/gpu.product": "NVIDIA-H200"}', "8"]


def test_no_number_of_gpus_is_offered_that_the_resource_does_not_take() -> None:
    source = "hf://deepseek-ai/DeepSeek-V2"
    spec = {"resources": {"gpu": {"count": 8}, "parallelism": {"tensor": 128}}, "engine": {"maxModelLen": 4096}}
    found = fits.judge(serve(source, **spec), known(source, "H200"))
    assert [(fix.field, fix.value) for fix in found.fixes] == [("spec.resources.parallelism.tensor", "8")]


@pytest.mark.parametrize("gpu", ["T4", "A10G", "H100"])
def test_no_fix_of_a_refusal_is_left_out_of_the_remedies(gpu: str) -> None:
    source, spec = "hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", {"engine": {"quantization": "AWQ"}}
    found = fits.judge(serve(source, **spec), known(source, gpu))
    assert {fix for finding in found.refusals for fix in finding.fixes} <= set(found.fixes)
