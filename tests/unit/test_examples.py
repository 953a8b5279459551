"""Every example stands in the table of docs/examples.md as it is, and the sum in its head adds up.

That the API server takes them, and the pods made of them, is for tests/chart/test_examples.py.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deepseekserve import api, engine

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
TABLE = ROOT / "docs" / "examples.md"

SUM = re.compile(
    r"# Fits (?P<gpu>.+): (?P<weights>[\d.]+) GiB of weights"
    r" \+ (?P<per_token>[\d.]+) KiB per token x (?P<tokens>\d+) tokens = (?P<taken>[\d.]+) GiB"
    r" of (?P<given>[\d.]+) GiB \((?P<percent>\d+) % of (?P<whole>[\d.]+)\)\."
)
# What CUDA gives a process on that GPU, which is less than the product's name says.
CUDA_GIB = {
    "8 GB": 8.0, "an L4": 22.03, "an A100 40 GB": 39.38, "an A100 or H100": 79.11, "each H200": 139.8, "a B200": 178.35,
}
ROUNDING_GIB = 0.1
WORKING_MEMORY_GIB = 2         # activations, the sampler's logits, CUDA graphs

each_example = pytest.mark.parametrize("file", EXAMPLES, ids=lambda f: f.stem)
each_of_a_gpu = pytest.mark.parametrize("file", [f for f in EXAMPLES if f.stem != "cpu-tiny"], ids=lambda f: f.stem)


def serve(file: Path) -> api.DeepSeekServe:
    (resource,) = [o for o in yaml.safe_load_all(file.read_text()) if o["kind"] == "DeepSeekServe"]
    return api.DeepSeekServe.parse({**resource, "metadata": {**resource["metadata"], "namespace": "any", "uid": "any"}})


def rows() -> dict[str, list[str]]:
    """File -> model, GPUs, what it shows."""
    found = re.findall(r"^\| \[([\w.-]+)\]\(\.\./examples/\1\) \| (.+) \|$", TABLE.read_text(), re.MULTILINE)
    return {file: cells.split(" | ") for file, cells in found}


def summed(file: Path) -> dict[str, Any]:
    found = SUM.search(file.read_text())
    assert found, f"{file.name} does not say why it fits"
    return {key: value if key == "gpu" else float(value) for key, value in found.groupdict().items()}


def test_the_table_has_every_example_and_no_other() -> None:
    assert sorted(rows()) == [f.name for f in EXAMPLES]


def test_the_readme_leads_to_the_table() -> None:
    assert "(docs/examples.md)" in (ROOT / "README.md").read_text()


@each_of_a_gpu
def test_the_table_names_its_model_and_its_gpus(file: Path) -> None:
    model, gpus, _ = rows()[file.name]
    assert model == engine.parse_source(serve(file).spec.model.source).default_name
    assert gpus.split()[0] == str(engine.gpu_count(serve(file)))


@each_example
def test_no_two_resources_would_overwrite_each_other(file: Path) -> None:
    assert [f.name for f in EXAMPLES if serve(f).metadata.name == serve(file).metadata.name] == [file.name]


@each_of_a_gpu
def test_its_sum_is_that_of_its_own_context(file: Path) -> None:
    said = summed(file)
    cache_gib = said["per_token"] * said["tokens"] / 2**20
    assert said["tokens"] == serve(file).spec.engine.max_model_len
    assert said["taken"] == pytest.approx(said["weights"] + cache_gib, abs=ROUNDING_GIB)


@each_of_a_gpu
def test_what_it_takes_is_within_what_the_engine_may_use_of_the_gpu(file: Path) -> None:
    said, arguments = summed(file), engine.argv(serve(file))
    share = float(arguments[arguments.index("--gpu-memory-utilization") + 1])
    assert said["percent"] / 100 == share
    assert said["whole"] == pytest.approx(CUDA_GIB[said["gpu"]], abs=ROUNDING_GIB)
    assert said["given"] == pytest.approx(said["whole"] * share, abs=ROUNDING_GIB)
    assert said["taken"] + WORKING_MEMORY_GIB < said["given"]


@each_of_a_gpu
def test_its_model_has_one_size_in_all_files(file: Path) -> None:
    same = [summed(f) for f in EXAMPLES if rows()[f.name][0] == rows()[file.name][0]]
    assert len({(said["weights"], said["per_token"]) for said in same}) == 1
