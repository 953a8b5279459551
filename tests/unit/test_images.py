"""What decides an image's name, and what goes into it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.images import store
from tests.images.base import BASE
from tests.images.recipe import EPOCH_S, RECIPES, ROOT, Recipe

each_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """An image of three files."""
    context = tmp_path / "context"
    (context / "src").mkdir(parents=True)
    (context / "Dockerfile").write_text(f"FROM {BASE}\n")
    (context / "src" / "a.py").write_text("a = 1\n")
    (context / "run").write_text("#!/bin/sh\n")
    return Recipe("tiny", context, "Dockerfile", ("src", "run"), free_gib=0, expect="no time")


def test_the_key_follows_what_a_file_says(recipe: Recipe) -> None:
    before = recipe.key()
    (recipe.context / "src" / "a.py").write_text("a = 2\n")
    assert recipe.key() != before


def test_the_key_follows_what_a_file_is_called(recipe: Recipe) -> None:
    before = recipe.key()
    (recipe.context / "src" / "a.py").rename(recipe.context / "src" / "b.py")
    assert recipe.key() != before


def test_the_key_follows_whether_a_file_can_be_run(recipe: Recipe) -> None:
    before = recipe.key()
    (recipe.context / "run").chmod(0o755)
    assert recipe.key() != before


def test_the_key_does_not_follow_times_modes_places_and_bytecode(recipe: Recipe, tmp_path: Path) -> None:
    before = recipe.key()
    os.utime(recipe.context / "src" / "a.py", (1, 1))
    (recipe.context / "src" / "a.py").chmod(0o600)
    (recipe.context / "src" / "__pycache__").mkdir()
    (recipe.context / "src" / "__pycache__" / "a.pyc").write_bytes(b"\0")
    moved = tmp_path / "elsewhere"
    shutil.move(recipe.context, moved)
    assert Recipe("tiny", moved, "Dockerfile", ("run", "src"), free_gib=0, expect="no time").key() == before


def test_the_build_context_is_readable_and_the_same_from_every_checkout(recipe: Recipe, tmp_path: Path) -> None:
    (recipe.context / "src" / "a.py").chmod(0o600)
    (recipe.context / "not-in-the-recipe").touch()
    recipe.stage(tmp_path / "staged")
    staged = {p.relative_to(tmp_path / "staged"): p.stat() for p in (tmp_path / "staged").rglob("*") if p.is_file()}
    assert {str(p) for p in staged} == {"Dockerfile", "run", "src/a.py"}
    assert {(s.st_mode & 0o777, s.st_mtime) for s in staged.values()} == {(0o644, EPOCH_S)}


@each_recipe
def test_the_recipe_names_what_its_dockerfile_copies_and_no_more(recipe: Recipe) -> None:
    lines = (recipe.context / recipe.dockerfile).read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]}
    assert copied == set(recipe.sources)


@each_recipe
def test_the_dockerfile_begins_with_the_base_that_can_be_made_here(recipe: Recipe) -> None:
    assert re.findall(r"^FROM (.+)$", (recipe.context / recipe.dockerfile).read_text(), re.MULTILINE) == [BASE]


@each_recipe
def test_the_image_runs_as_a_numbered_user_that_is_not_root(recipe: Recipe) -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", (recipe.context / recipe.dockerfile).read_text(), re.MULTILINE)
    assert int(user) > 0


@pytest.mark.parametrize("file", ["images/engine-cpu/requirements.txt", "requirements/operator.txt"])
def test_every_requirement_is_pinned_with_hashes_and_without_an_address(file: str) -> None:
    text = (ROOT / file).read_text()
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert [r for r in requirements if not re.match(r"[\w.-]+==\S+", r) or "--hash=sha256:" not in r] == []
    assert "://" not in text


def test_the_archives_used_last_are_kept(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSS_CACHE", str(tmp_path))
    store.folder().mkdir()
    for age, key in enumerate(("c" * 12, "a" * 12, "e" * 12, "d" * 12, "b" * 12)):
        archive = store.folder() / f"tiny-{key}.tar"
        archive.touch()
        os.utime(archive, (-age, -age))
    (store.folder() / "tiny-other-aaaaaaaaaaaa.tar").touch()
    store._prune(recipe)
    kept = [f"tiny-{key * 12}.tar" for key in "acde"]
    assert len(kept) == store.KEEP
    assert sorted(a.name for a in store.folder().iterdir()) == [*kept, "tiny-other-aaaaaaaaaaaa.tar"]


def test_where_an_archive_will_be_is_told_without_building_it(tmp_path: Path) -> None:
    archive = subprocess.run(
        [sys.executable, "-m", "tests.images", "archive", "operator"],
        cwd=ROOT, env={**os.environ, "DSS_CACHE": str(tmp_path)}, capture_output=True, text=True, check=True,
    ).stdout.strip()
    assert Path(archive).parent == tmp_path / "images"
    assert not Path(archive).exists()
