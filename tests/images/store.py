"""Turns an image's name into an archive in the cache, built once per content whoever asks first."""

import os
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.lock import locked
from tests.cluster.paths import cache
from tests.cluster.progress import say
from tests.images.builders import choose
from tests.images.recipe import RECIPES, Recipe

KEEP = 4  # archives of one image: this checkout's, two that it is upgraded from and to, and one more
SCRATCH = ".build-"


@dataclass(frozen=True)
class Image:
    """One image of this checkout: the name that manifests use, and the docker-archive that brings it into a cluster."""

    name: str
    archive: Path


def ensure(name: str, root: Path | None = None) -> Image:
    """The image `name` with its archive, built when it is missing; raises ClusterError when that fails.

    `root` is another copy of the project's files, of which the image is then made.
    """
    recipe = replace(RECIPES[name], context=root) if root else RECIPES[name]
    image = find(recipe)
    if not image.archive.exists():
        with locked(folder() / "lock", "building images"):
            image = _build(recipe)
    os.utime(image.archive)  # the most recently used are kept
    return image


def find(recipe: Recipe) -> Image:
    """Name and archive of an image as this checkout would build it, whether it exists or not."""
    return Image(recipe.image(), folder() / f"{recipe.name}-{recipe.key()}.tar")


def folder() -> Path:
    """Where archives and layers are kept."""
    return cache() / "images"


def _build(recipe: Recipe) -> Image:
    """Build from a copy of the files and name it after the copy, whatever is edited meanwhile; the lock is ours."""
    _clean()
    with tempfile.TemporaryDirectory(dir=folder(), prefix=SCRATCH) as scratch:
        context, archive = Path(scratch, "context"), Path(scratch, "archive.tar")
        recipe.stage(context)
        image = find(replace(recipe, context=context))
        if image.archive.exists():  # by who held the lock before
            return image
        _check_space(recipe)
        began = time.monotonic()
        say(f"{recipe.name}: building {image.name} (cold, on two cores: {recipe.expect})")
        choose(folder()).build(image.name, context, recipe.dockerfile, archive)
        archive.rename(image.archive)
    size_mb = image.archive.stat().st_size / 1e6
    say(f"{recipe.name}: built in {time.monotonic() - began:.0f} s, {size_mb:.0f} MB, kept in {image.archive}")
    _prune(recipe)
    return image


def _prune(recipe: Recipe) -> None:
    """Remove all archives of an image but those used last."""
    kept = sorted(folder().glob(f"{recipe.name}-{'?' * 12}.tar"), key=lambda archive: archive.stat().st_mtime)
    for old in kept[:-KEEP]:
        old.unlink(missing_ok=True)


def _clean() -> None:
    """Remove what builds that were killed have left."""
    for left in folder().glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)


def _check_space(recipe: Recipe) -> None:
    free_gib = shutil.disk_usage(folder()).free / 2**30
    if free_gib < recipe.free_gib:
        raise ClusterError(
            f"{recipe.name}: {free_gib:.1f} GiB are free in {folder()}, a build takes {recipe.free_gib}: "
            "free some space, or set DSS_CACHE to a folder on a larger disk"
        )
