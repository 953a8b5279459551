"""What the operator judges a resource by: its own image, or the chart's where it names none."""

from dataclasses import replace

import pytest

from deepseekserve.reconcile.judging import Judge
from deepseekserve.revision import Revision
from deepseekserve.settings import Settings
from tests.unit.fits.cases import DISTILL, serve

T4 = {"scheduling": {"nodeSelector": {"nvidia.com/gpu.product": "Tesla-T4"}}}


@pytest.mark.parametrize(("charts", "own", "refused", "doubted"), [
    ("docker.io/vllm/vllm-openai:v0.8.5", None, True, True),
    ("docker.io/vllm/vllm-openai:v0.8.5", "vllm/vllm-openai:v0.32.0", False, False),
    ("mirror.example.com/vllm/vllm-openai:v0.9.1", None, False, True),
    ("docker.io/vllm/vllm-openai:v0.32.0", "vllm/vllm-openai:v0.8.5", True, True),
    ("mirror.example.com/ours:7", None, False, False),
])
def test_the_charts_image_says_the_release_where_the_resource_names_none(
    charts: str, own: str | None, refused: bool, doubted: bool,
) -> None:
    asked = serve(f"{DISTILL}Qwen-1.5B", engine={"maxModelLen": 4096, **({"image": own} if own else {})}, **T4)
    found = Judge(Settings(gpu_image=charts)).judged(asked, None, None).found
    assert found.refused is refused
    assert ("the checkpoint is in bfloat16" in found.message) is refused
    assert any("what vLLM can do is known of 0.32.0" in each for each in found.warnings) is doubted


def test_a_stored_revision_is_judged_by_the_image_that_it_has() -> None:
    engine = {"name": "engine", "image": "vllm/vllm-openai:v0.32.0", "args": ["serve"]}
    workload = {"template": {"spec": {"containers": [{"name": "other"}, engine]}}}
    stored = Revision("r1-1", "1", {}, (workload,), good=True, number=1, created="2026-01-01T00:00:00Z")
    asked, older = serve(f"{DISTILL}Qwen-1.5B", engine={"maxModelLen": 4096}, **T4), "vllm/vllm-openai:v0.8.5"
    assert not Judge(Settings(gpu_image=older)).judged(asked, None, stored).found.refused
    assert replace(stored, workloads=()).image == ""


def test_the_charts_image_for_gpus_says_nothing_of_a_cpu() -> None:
    old = Judge(Settings(gpu_image="vllm/vllm-openai:v0.8.5"))
    asked = serve(f"{DISTILL}Qwen-1.5B", engine={"device": "CPU", "kvCacheMemory": "4Gi", "maxModelLen": 4096})
    assert not [each for each in old.judged(asked, None, None).found.warnings if "0.8.5" in each]
