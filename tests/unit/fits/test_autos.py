"""Which number an Auto is, where the sum decides: the longest context that is sure to fit, the fewest ranks."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from deepseekserve import catalog, engine, fits, sizing
from deepseekserve.fits import autos
from tests.unit.fits.cases import DISTILL, R1, judged, known, reasons, serve
from tests.unit.sizing.models import llama

QWEN_1B, QWEN_14B, LLAMA_8B = (f"{DISTILL}{name}" for name in ("Qwen-1.5B", "Qwen-14B", "Llama-8B"))


def arguments(source: str, gpu: str | None, **spec: Any) -> dict[str, str]:
    """Flags with their values, as the engine would get them."""
    given = engine.argv(judged(source, gpu, **spec).case.serve)
    return dict(pairwise(given))


def test_the_models_own_context_is_passed_where_it_fits() -> None:
    assert arguments(QWEN_1B, "NVIDIA-L4")["--max-model-len"] == "131072"


def test_a_longer_one_than_fits_becomes_the_longest_that_is_sure_to() -> None:
    verdict = judged(LLAMA_8B, "A10G")
    assert verdict.fits == "True"
    given = int(arguments(LLAMA_8B, "A10G")["--max-model-len"])
    assert 0 < given < 131072
    assert given % sizing.BLOCK_TOKENS == 0
    assert any(f"maxModelLen Auto is {given:,} tokens here" in warning for warning in verdict.warnings)
    room = verdict.case.room
    assert room
    shorter = replace(room, total=room.total - room.margin)
    assert verdict.case.plan
    assert sizing.size(verdict.case.plan, shorter, given).fits
    assert judged(LLAMA_8B, "A10G", engine={"maxModelLen": given}).fits == "True"


def test_a_cache_of_fixed_size_decides_on_a_gpu_that_nobody_knows_and_on_cpu() -> None:
    for device in ("GPU", "CPU"):
        spec = {"engine": {"kvCacheMemory": "64Mi", "device": device}}
        given = int(arguments(QWEN_1B, None, **spec)["--max-model-len"])
        found = judged(QWEN_1B, None, **spec).case.sizing
        assert found
        assert found.request <= 64 << 20
        assert found.largest == given


def test_nothing_is_decided_without_a_limit_or_without_the_model() -> None:
    assert "--max-model-len" not in arguments(QWEN_1B, None)
    assert "--max-model-len" not in arguments("hf://somebody/fine-tune", "NVIDIA-L4")


@pytest.mark.parametrize(("arguments", "tensor", "context"), [
    (["--tensor-parallel-size", "4", "--max-model-len", "4096"], 4, 4096),
    (["--tensor-parallel-size=2", "--max-model-len=auto"], 2, "Auto"),
    ([], 4, "Auto"),
    (["--tensor-parallel-size", "0"], 4, "Auto"),
])
def test_a_revision_is_judged_by_the_numbers_that_its_engine_has(
    arguments: list[str], tensor: int, context: int | str,
) -> None:
    asked = serve(DISTILL + "Qwen-7B", resources={"gpu": {"count": 4}})
    found = fits.judge(asked, known(DISTILL + "Qwen-7B", "L4"), arguments).case.serve
    assert (engine.tensor_size(found), found.spec.engine.max_model_len) == (tensor, context)


def test_nothing_is_decided_where_nothing_fits_so_that_all_remedies_are_looked_for() -> None:
    verdict = judged(R1, "A10G")
    assert verdict.fits == "False"
    assert verdict.case.serve.spec.engine.max_model_len == "Auto"
    too_long = judged(LLAMA_8B, "A10G", engine={"maxModelLen": 131072})
    assert too_long.fits == "False"
    assert too_long.case.serve.spec.resources.parallelism.tensor == "Auto"


@pytest.mark.parametrize(("source", "gpu", "count", "tensor"), [
    (QWEN_1B, "NVIDIA-L4", 4, 1),
    (QWEN_14B, "NVIDIA-L4", 4, 4),
    (R1, "NVIDIA-H200", 8, 8),
])
def test_the_fewest_ranks_that_hold_the_whole_context_share_the_model(
    source: str, gpu: str, count: int, tensor: int,
) -> None:
    verdict = judged(source, gpu, resources={"gpu": {"count": count}})
    assert verdict.fits == "True"
    assert verdict.case.plan
    assert verdict.case.plan.setup.tensor == tensor
    idle = [warning for warning in verdict.warnings if "have nothing to do" in warning]
    assert idle == ([f"tensor Auto is {tensor} here, and {count - tensor} of {count} GPUs have nothing to do"]
                    if tensor < count else [])


def test_ranks_that_do_not_divide_the_model_are_passed_over() -> None:
    spec = {"engine": {"maxModelLen": 32768}, "resources": {"gpu": {"count": 4}}}
    verdict = judged(f"{DISTILL}Qwen-32B", "A100-40GB", **spec)
    assert verdict.case.plan
    assert verdict.case.plan.setup.tensor == 4
    room = verdict.case.room
    assert room
    three = replace(verdict.case.plan, setup=replace(verdict.case.plan.setup, tensor=3))
    two = replace(verdict.case.plan, setup=replace(verdict.case.plan.setup, tensor=2))
    assert (sizing.size(three, room, 32768).fits, sizing.size(two, room, 32768).fits) == (True, False)


def test_gpus_of_which_one_could_never_work_are_refused() -> None:
    verdict = judged(QWEN_14B, "NVIDIA-L4", resources={"gpu": {"count": 3}})
    assert reasons(verdict)[0] == "TensorParallelIndivisible"


def test_a_number_is_not_ours_to_decide() -> None:
    spec = {"engine": {"maxModelLen": 2048}, "resources": {"gpu": {"count": 2}, "parallelism": {"tensor": 2}}}
    asked = serve(QWEN_1B, **spec)
    found = autos.decided(asked, known(QWEN_1B, "NVIDIA-L4"))
    assert (found.spec.engine.max_model_len, found.spec.resources.parallelism.tensor) == (2048, 2)


def test_what_cannot_be_divided_at_all_stays_as_it_is() -> None:
    config = llama(num_attention_heads=7, num_key_value_heads=7, hidden_size=896)
    asked = serve("pvc://models/seven", resources={"gpu": {"count": 2}, "parallelism": {"tensor": 2}})
    here = fits.Known(config, gpu=catalog.find_gpu("NVIDIA-L4"))
    assert autos.decided(asked, here) is asked
    assert fits.judge(asked, here).fits == "False"
