"""Turns the files that an image is made of into its key, its name, and a build context of these files and no other."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.images.base import BASE, PACKAGES, SUITE

ROOT = Path(__file__).parents[2]
REPOSITORY = "localhost/deepseekserve"
EPOCH_S = 1_577_836_800  # 2020-01-01: the files' times in the image do not depend on when a checkout was made


@dataclass(frozen=True)
class Recipe:
    """What one image is made of; paths as the Dockerfile sees them, from the root of its build context."""

    name: str
    context: Path
    dockerfile: str
    sources: tuple[str, ...]  # files and whole folders
    free_gib: int             # disk space that a cold build and its archive take
    expect: str               # how long it takes, cold, on two cores

    def files(self) -> Iterator[Path]:
        """All files that decide what the image is, relative to the context, in order."""
        for source in sorted({self.dockerfile, *self.sources}):
            place = self.context / source
            found = sorted(place.rglob("*")) if place.is_dir() else [place]
            yield from (f.relative_to(self.context) for f in found if f.is_file() and "__pycache__" not in f.parts)

    def key(self) -> str:
        """Twelve hex digits over the content of every file and over the base image."""
        digest = hashlib.sha256(repr((BASE, SUITE, PACKAGES)).encode())
        for file in self.files():
            content = (self.context / file).read_bytes()
            digest.update(f"{file}\0{_mode(self.context / file):o}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:12]

    def image(self) -> str:
        """The image's name; the tag follows the content, so that a node which has it never has a stale one."""
        return f"{REPOSITORY}/{self.name}:{self.key()}"

    def stage(self, folder: Path) -> None:
        """Copy the files into `folder`, with modes and times that do not depend on the checkout."""
        for file in self.files():
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.context / file, target)
            target.chmod(_mode(self.context / file))
            os.utime(target, (EPOCH_S, EPOCH_S))
        for made in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
            made.chmod(0o755)


def _mode(file: Path) -> int:
    return 0o755 if os.access(file, os.X_OK) else 0o644


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "operator", ROOT, "images/operator/Dockerfile", ("requirements/operator.txt", "operator/src/deepseekserve"),
            free_gib=2, expect="1 minute",
        ),
        Recipe(
            "engine-cpu", ROOT / "images" / "engine-cpu", "Dockerfile",
            ("requirements.txt", "stub_cuda.py", "yield_cpu.py", "allow_amx.py", "known_models.py", "rare_gc.py",
             "yield_cpu.pth", "make_tiny_model.py"),
            free_gib=9, expect="5 minutes",
        ),
        Recipe(
            "replay", ROOT / "images" / "replay", "Dockerfile", ("replay.py",), free_gib=2, expect="1 minute",
        ),
    )
}
