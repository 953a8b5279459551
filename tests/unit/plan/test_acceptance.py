"""What was promised of the command, one row a sentence: run as a user runs it, fixes applied as they are written."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from deepseekserve import plan
from tests.specs import merged, patch_of

DISTILL = "hf://deepseek-ai/DeepSeek-R1-Distill-"
R1 = "hf://deepseek-ai/DeepSeek-R1"
LLAMA, EIGHT = DISTILL + "Llama-8B", {"resources": {"gpu": {"count": 8}}}
GUIDE = {"engine": {"quantization": "AWQ", "maxModelLen": 32768}}

TABLE: list[tuple[str, str, str | None, dict[str, Any], int, str]] = [
    ("the guide's resource on a T4", DISTILL + "Qwen-1.5B", "Tesla-T4", GUIDE, 1,
     "AWQ is asked for, and the checkpoint is not quantized"),
    ("its own context on a T4 without the quantization", DISTILL + "Qwen-1.5B", "Tesla-T4",
     {"engine": {"dtype": "Float16", "maxModelLen": 32768}}, 0, "needs 6.2 GiB, has 13.1"),
    ("a GPU that the engine has left behind", LLAMA, "V100-16GB", {"engine": {"maxModelLen": 8192}}, 1,
     "has compute capability 7.0, and vLLM 0.32.0 needs 7.5"),
    ("a long context on an A10G", LLAMA, "A10G", {"engine": {"maxModelLen": 131072}}, 1, "at most 23,504 tokens fit"),
    ("the context that fits", LLAMA, "A10G", {"engine": {"maxModelLen": 23504}}, 0, "at 23504 tokens"),
    ("R1 on eight H200", R1, "H200", EIGHT, 0, "GiB on each of 8 devices, has"),
    ("R1 on eight A100 of 40 GB", R1, "A100-40GB", EIGHT, 1, "no context fits"),
    ("heads that do not divide", DISTILL + "Qwen-32B", "H100", {"resources": {"gpu": {"count": 3}}}, 1,
     "40 attention heads and 8 KV heads cannot be divided by 3"),
    ("heads that do not divide, wherever", DISTILL + "Qwen-32B", None, {"resources": {"gpu": {"count": 3}}}, 1,
     "40 attention heads and 8 KV heads cannot be divided by 3"),
]


def planned(path: Path, gpu: str | None, spec: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    path.write_text(yaml.safe_dump({
        "apiVersion": "deepseekserve.io/v1alpha1", "kind": "DeepSeekServe", "metadata": {"name": "r1"}, "spec": spec}))
    code = plan.main(["-f", str(path), "-o", "json", *(["--gpu", gpu] if gpu else [])])
    (found,) = json.loads(capsys.readouterr().out)["plans"]
    return {**found, "exitCode": code}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_the_command_says_what_was_promised(
    row: tuple[str, str, str | None, dict[str, Any], int, str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    _, source, gpu, spec, code, says = row
    whole = {"model": {"source": source}, **spec}
    found = planned(tmp_path / "r1.yaml", gpu, whole, capsys)
    assert found["exitCode"] == code
    assert says in found["message"]
    assert (code == 1) == bool(found["remedies"])
    for remedy in found["remedies"]:
        edited = merged(whole, patch_of(remedy["fixes"])["spec"])
        product = edited.get("scheduling", {}).get("nodeSelector", {}).get("nvidia.com/gpu.product", gpu)
        then = planned(tmp_path / "r1.yaml", product, edited, capsys)
        assert then["exitCode"] == (0 if product else 3)
