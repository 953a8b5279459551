"""The catalogue: its form, where its figures come from, and what counts as the same model or GPU."""

import json
from pathlib import Path
from typing import Any

import pytest

from deepseekserve import catalog, engine
from tests import quantization

FOLDER = Path(catalog.__file__).parent
CONFIDENCE = {"copied from config.json", "read in vendor documentation", "computed"}
NAMED = {"id", "base", "config", "parameters", "bytes", "bytesBasis", "license", "parsers", "sampling", "confidence",
         "sources"}
SIZES = {"hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "max_position_embeddings"}
CUDA_SHARE_OF_LABEL = (0.96, 1.0)


def rows(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text())[name]
    return found


# Form

@pytest.mark.parametrize("row", rows("models"), ids=lambda row: row["id"])
def test_a_model_has_a_shape_and_says_how_sure_it_is(row: dict[str, Any]) -> None:
    assert set(row) <= NAMED
    assert row["confidence"] in CONFIDENCE
    assert row["sources"]
    assert row["parameters"] > 0
    assert ("bytes" in row) == ("bytesBasis" in row)
    model = catalog.find_model(f"hf://{row['id']}")
    assert model
    assert set(model.config) >= SIZES
    if row.get("base"):
        assert catalog.find_model(f"hf://{row['base']}")
        assert set(row["config"]) == {"quantization_config"}


def test_no_two_models_have_one_name() -> None:
    assert len({model.name.lower() for model in catalog.MODELS}) == len(catalog.MODELS)


@pytest.mark.parametrize("gpu", catalog.GPUS, ids=lambda gpu: gpu.product)
def test_a_gpu_gives_a_process_a_little_less_than_its_label_says(gpu: catalog.Gpu) -> None:
    low, high = CUDA_SHARE_OF_LABEL
    assert gpu.label_mib
    assert low <= gpu.memory_bytes / 2**20 / gpu.label_mib <= high
    assert gpu.capability in range(60, 121)


def test_gpus_stand_in_the_order_of_their_memory_and_no_name_is_used_twice() -> None:
    assert list(catalog.GPUS) == sorted(catalog.GPUS, key=lambda gpu: gpu.memory_bytes)
    names = [name for gpu in catalog.GPUS for name in (gpu.product, *gpu.aliases)]
    assert len(set(names)) == len(names)
    assert [name for name in names if catalog.find_gpu(name) is None] == []


# Models

@pytest.mark.parametrize("source", [
    "hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
    "hf://DeepSeek-AI/deepseek-r1-distill-qwen-1.5b@main",
    "pvc://models/DeepSeek-R1-Distill-Qwen-1.5B",
    "pvc://models/hub/deepseek-ai/deepseek-r1-distill-qwen-1.5b/",
    "pvc://models/deepseek-ai/DeepSeek-R1-Distill-Qwen-1___5B",
    "pvc://cache/hub/models--deepseek-ai--DeepSeek-R1-Distill-Qwen-1.5B/snapshots/ad9f0ae0",
])
def test_a_model_is_found_by_its_repository_or_its_folder(source: str) -> None:
    found = catalog.find_model(source)
    assert found
    assert found.id == "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"


@pytest.mark.parametrize("source", [
    "hf://somebody/DeepSeek-R1-Distill-Qwen-1.5B",
    "hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B-tuned",
    "pvc://models/DeepSeek-R1-Distill-Qwen-1.5B/tuned",
    "pvc://models",
    "pvc://deepseek-r1",
])
def test_a_model_of_another_name_is_not_in_the_catalogue(source: str) -> None:
    assert catalog.find_model(source) is None


def test_a_quantized_sibling_has_the_shape_of_its_base() -> None:
    base = catalog.find_model("hf://deepseek-ai/DeepSeek-R1-Distill-Llama-8B")
    assert base
    copies = catalog.siblings(base)
    assert {copy.config["quantization_config"]["quant_method"] for copy in copies} == {"awq", "compressed-tensors"}
    assert {copy.config["hidden_size"] for copy in copies} == {base.config["hidden_size"]}


# GPUs

@pytest.mark.parametrize(("name", "product"), [
    ("Tesla-T4", "Tesla-T4"), ("tesla t4", "Tesla-T4"), ("T4", "Tesla-T4"), ("Tesla-T4-SHARED", "Tesla-T4"),
    ("A100-SXM4-40GB", "NVIDIA-A100-SXM4-40GB"), ("NVIDIA H200", "NVIDIA-H200"),
    ("GeForce RTX 4090", "NVIDIA-GeForce-RTX-4090"), ("V100 16GB", "Tesla-V100-SXM2-16GB"),
])
def test_a_gpu_is_found_by_its_label_or_a_short_name(name: str, product: str) -> None:
    found = catalog.find_gpu(name)
    assert found
    assert found.product == product


@pytest.mark.parametrize("name", ["A100", "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "MI300X", ""])
def test_a_slice_an_unclear_name_and_an_unknown_gpu_are_not_found(name: str) -> None:
    assert catalog.find_gpu(name) is None


def test_a_gpu_says_its_capability_and_whether_it_has_bfloat16() -> None:
    t4, a10g = catalog.find_gpu("T4"), catalog.find_gpu("A10G")
    assert t4
    assert a10g
    assert (t4.capability_text, t4.has_bfloat16) == ("7.5", False)
    assert (a10g.capability_text, a10g.has_bfloat16) == ("8.6", True)
    assert catalog.Gpu("some card", 1).capability_text == "unknown"


# Quantization

def test_every_quantization_of_the_resource_is_in_the_engines_table_but_for_the_plugins() -> None:
    assert {value for value, row in engine.QUANTIZATION.items() if row.flag not in catalog.METHODS} == {"GGUF"}


def test_the_tables_are_what_the_installed_engine_says() -> None:
    package = quantization.installed()
    if package is None:
        pytest.skip("no image of the engine here")
    assert quantization.TABLE.read_text() == quantization.text(package), "run `make quantization`"
    assert quantization.VALUES.read_text() == quantization.values(package), "run `make quantization`"
