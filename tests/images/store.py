"""Turns an image's name into an archive in the cache, built once per content whoever asks first."""

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.lock import locked
from tests.cluster.paths import cache
from tests.cluster.progress import say
from tests.images.builders import choose
from tests.images.recipe import RECIPES, Recipe

KEEP = 2  # archives of one image: this checkout's and one more


@dataclass(frozen=True)
class Image:
    """One image of this checkout: the name that manifests use, and the docker-archive that brings it into a cluster."""

    name: str
    archive: Path


def ensure(name: str) -> Image:
    """The image `name` with its archive, built when it is missing; raises ClusterError when that fails."""
    image = find(name)
    if not image.archive.exists():
        with locked(image.archive.parent / "lock", "building images"):
            if not image.archive.exists():
                _build(RECIPES[name], image)
    os.utime(image.archive)  # the most recently used are kept
    return image


def find(name: str) -> Image:
    """Name and archive of an image as this checkout would build it, whether it exists or not."""
    recipe = RECIPES[name]
    return Image(recipe.image(), folder() / f"{name}-{recipe.key()}.tar")


def folder() -> Path:
    """Where archives and layers are kept."""
    return cache() / "images"


def _build(recipe: Recipe, image: Image) -> None:
    _check_space(recipe)
    began = time.monotonic()
    say(f"{recipe.name}: building {image.name} (cold, on two cores: {recipe.expect})")
    with tempfile.TemporaryDirectory(dir=folder(), prefix=".build-") as scratch:
        context, archive = Path(scratch, "context"), Path(scratch, "archive.tar")
        recipe.stage(context)
        choose(folder()).build(image.name, context, recipe.dockerfile, archive)
        archive.rename(image.archive)
    size_mb = image.archive.stat().st_size / 1e6
    say(f"{recipe.name}: built in {time.monotonic() - began:.0f} s, {size_mb:.0f} MB, kept in {image.archive}")
    prune(sorted(folder().glob(f"{recipe.name}-????????????.tar"), key=lambda a: a.stat().st_mtime))


def prune(archives: Sequence[Path]) -> None:
    """Remove all but the last few of these archives, given oldest first."""
    for old in archives[:-KEEP]:
        old.unlink(missing_ok=True)


def _check_space(recipe: Recipe) -> None:
    for left in folder().glob(".b*-*"):  # scratch folders of builds that were killed; the lock is ours
        shutil.rmtree(left, ignore_errors=True)
    free_gib = shutil.disk_usage(folder()).free / 2**30
    if free_gib < recipe.free_gib:
        raise ClusterError(
            f"{recipe.name}: {free_gib:.1f} GiB are free in {folder()}, a build takes {recipe.free_gib}: "
            "free some space, or set DSS_CACHE to a folder on a larger disk"
        )
