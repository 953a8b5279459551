"""Goldens: what is rendered is what was reviewed, byte for byte. UPDATE_GOLDENS=1 writes them again."""

import os
from pathlib import Path

import pytest

from tests.golden import cases


@pytest.mark.parametrize("case", cases.CASES)
def test_a_resource_renders_to_its_golden(case: str) -> None:
    golden: Path = cases.FOLDER / f"{case}.yaml"
    rendered = cases.text(cases.manifests(cases.serve(case)))
    if os.environ.get("UPDATE_GOLDENS") == "1":
        golden.write_text(rendered)
    assert rendered == golden.read_text()


@pytest.mark.parametrize("case", cases.CASES)
def test_two_renders_of_one_resource_are_byte_identical(case: str) -> None:
    first = cases.text(cases.manifests(cases.serve(case)))
    assert cases.text(cases.manifests(cases.serve(case))) == first


def test_every_golden_has_its_resource() -> None:
    assert sorted(path.stem for path in cases.FOLDER.glob("*.yaml")) == cases.CASES
