"""Built programs are found again by the content of what they are made from."""

import dataclasses
from pathlib import Path

import pytest

from tests.cluster import tools
from tests.cluster.errors import Missing
from tests.cluster.tools import RECIPES, Recipe, key, tool


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source folder `hello` beside the recipes, and an empty cache."""
    monkeypatch.setattr(tools, "HERE", tmp_path)
    monkeypatch.setenv("DSS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "go.mod").write_text("module hello\n")
    return folder


def test_the_same_sources_have_the_same_key(sources: Path) -> None:
    assert key(Recipe("hello")) == key(Recipe("hello"))


def test_a_changed_source_has_another_key(sources: Path) -> None:
    before = key(Recipe("hello"))
    (sources / "go.mod").write_text("module hello // changed\n")
    assert key(Recipe("hello")) != before


def test_an_added_source_has_another_key(sources: Path) -> None:
    before = key(Recipe("hello"))
    (sources / "main.go").write_text("package main\n")
    assert key(Recipe("hello")) != before


@pytest.mark.parametrize("change", [{"ldflags": ""}, {"source": "example.org/hello@v1"}, {"links": ("hi",)}])
def test_whatever_decides_the_build_is_in_the_key(sources: Path, change: dict[str, object]) -> None:
    recipe = Recipe("hello")
    assert key(dataclasses.replace(recipe, **change)) != key(recipe)  # type: ignore[arg-type]


def test_the_words_in_which_time_is_estimated_are_not_in_the_key(sources: Path) -> None:
    assert key(Recipe("hello", expect="a day")) == key(Recipe("hello"))


def test_every_module_is_pinned_to_a_version() -> None:
    assert [r.source for r in RECIPES.values() if not r.folder and "@v" not in r.source] == []


def test_a_machine_without_go_is_told_how_to_get_it(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(sources))
    with pytest.raises(Missing, match=r"Go 1.24 or later is needed to build helm: see https://go.dev/doc/install"):
        tool("helm")


def test_a_go_that_is_too_old_is_named(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = sources / "go"
    old.write_text("#!/bin/sh\necho go version go1.19.8 linux/amd64\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sources}:/usr/bin:/bin")
    with pytest.raises(Missing, match=r"Go 1.24 or later is needed to build helm \(this is 1.19\)"):
        tool("helm")


def test_an_installed_kind_is_used(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = sources / "kind"
    installed.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(sources))
    assert tool("kind") == installed
