"""What a status shows of a verdict, and what the catalogue knows of a resource."""

from typing import Any

import pytest

from deepseekserve import fits
from deepseekserve.facts import FITS, REFUSED, UNKNOWN, Fit, Reading
from deepseekserve.reader.summary import Outcome, Summary, Weights
from tests.unit.fits.cases import DISTILL, serve
from tests.unit.sizing.models import llama

T4 = {"scheduling": {"nodeSelector": {"nvidia.com/gpu.product": "Tesla-T4"}}}


def fit(source: str, **spec: Any) -> Fit:
    resource = serve(source, **spec)
    return fits.fit_of(fits.judge(resource, fits.known_of(resource)))


def test_the_catalogue_is_asked_for_the_model_by_its_name_and_for_the_gpu_of_the_node_selector() -> None:
    known = fits.known_of(serve(f"{DISTILL}Qwen-1.5B", **T4))
    assert known.config
    assert known.gpu
    assert (known.gpu.product, known.gpu_name) == ("Tesla-T4", "Tesla-T4")
    assert known.origin.startswith("the catalogue: deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B")
    unknown = fits.known_of(serve("pvc://models/mine", scheduling={"nodeSelector": {"nvidia.com/gpu.product": "X1"}}))
    assert (unknown.config, unknown.gpu, unknown.gpu_name) == (None, None, "X1")


def test_what_was_read_of_a_model_stands_in_for_the_catalogue() -> None:
    mine, weights = serve("pvc://models/mine"), Weights("safetensors", 1, 1234, {})
    found = fits.known_of(mine, Reading(Summary(Outcome.READ, config=llama(), weights=weights)))
    assert (found.config, found.weights_bytes) == (llama(), 1234)
    assert found.origin == "pvc://models/mine"
    bare = fits.known_of(mine, Reading(Summary(Outcome.READ, config=llama())))
    assert (bare.config is not None, bare.weights_bytes) == (True, None)
    damaged = fits.known_of(mine, Reading(Summary(Outcome.DAMAGED, message="config.json is damaged")))
    assert (damaged.config, damaged.unread) == (None, "config.json is damaged")
    assert fits.known_of(mine, Reading(why="no node")).unread == "no node"
    assert fits.known_of(mine).unread == ""


def test_what_fits_has_its_terms_and_no_finding() -> None:
    found = fit(f"{DISTILL}Qwen-1.5B", engine={"maxModelLen": 8192}, **T4)
    assert (found.status, found.finding, found.refused) == (FITS, None, False)
    assert found.amounts
    assert found.amounts.context == 8192
    assert found.amounts.available is not None
    assert found.amounts.weights + found.amounts.overhead + 8192 * found.amounts.token < found.amounts.available


def test_a_refusal_names_one_edit_to_apply_and_the_others_in_words() -> None:
    found = fit(f"{DISTILL}Qwen-1.5B", engine={"quantization": "AWQ", "maxModelLen": 999_999}, **T4)
    assert (found.status, found.refused) == (REFUSED, True)
    assert found.finding
    assert [(fix.field, fix.value) for fix in found.finding.fixes][:2] == [
        ("spec.engine.quantization", "Auto"), ("spec.engine.maxModelLen", "131072")]
    assert found.finding.message == found.message
    assert "spec.engine.quantization to Auto" in found.finding.remedy
    assert " and spec.engine.maxModelLen to 131072" in found.finding.remedy
    assert found.finding.remedy.endswith("set spec.rollout.admission to Warn.")


def test_a_refusal_that_no_field_can_cure_says_so() -> None:
    found = fit("hf://deepseek-ai/DeepSeek-R1", resources={"gpu": {"count": 1}, "parallelism": {"tensor": 1}},
                scheduling={"nodeSelector": {"nvidia.com/gpu.product": "Tesla-T4"}})
    assert found.finding
    assert not found.finding.fixes
    assert found.finding.remedy.startswith("Choose another model or other nodes; to start it all the same, ")


def test_a_warning_goes_with_the_fit() -> None:
    (warning,) = fit(f"{DISTILL}Qwen-1.5B", engine={"image": "vllm/vllm-openai:v0.31.0"}).warnings
    assert warning.startswith("what vLLM can do is known of 0.32.0")


@pytest.mark.parametrize("source", ["hf://somebody/fine-tune", f"{DISTILL}Qwen-1.5B"])
def test_what_is_not_known_is_said(source: str) -> None:
    found = fit(source)
    assert (found.status, found.finding) == (UNKNOWN, None)
    assert "the GPU is not known" in found.message
    assert (found.amounts is None) == (source == "hf://somebody/fine-tune")
