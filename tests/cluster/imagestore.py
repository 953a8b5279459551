"""Keeps what containerd makes of image archives, so that a new local node begins with them instead of importing them.

A store is a containerd's root folder, made once per set of archives by a containerd that runs for this alone. A node
gets a copy of hard links: containerd never changes a file of an image, and its databases are copied.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import archive
from tests.cluster.commands import run, tied
from tests.cluster.containerd import Containerd
from tests.cluster.errors import ClusterError
from tests.cluster.health import wait_for
from tests.cluster.lock import locked
from tests.cluster.paths import cache
from tests.cluster.progress import say

KEEP = 2            # stores; one holds its images twice, as layers and as files: 6.4 GB for that of the engine
_SCRATCH = ".making-"
_START_S = 60


def stock(root: Path, archives: Sequence[Path]) -> None:
    """Make `root`, which must not exist, a containerd's root folder that has the images of these archives."""
    with locked(folder() / "lock", "importing images"):
        store = folder() / _key(archives)
        if not store.exists():
            _make(store, archives)
        os.utime(store)             # the most recently used are kept
        _copy(store, root)


def folder() -> Path:
    """Where the stores are kept."""
    return cache() / "image-stores"


def _key(archives: Sequence[Path]) -> str:
    images = sorted((tag, digest) for file in archives for tag, digest in archive.images(file).items())
    return hashlib.sha256(repr(images).encode()).hexdigest()[:12]


def _make(store: Path, archives: Sequence[Path]) -> None:
    kept = sorted(folder().glob("?" * 12), key=lambda s: s.stat().st_mtime)
    for old in (*kept[:1 - KEEP], *folder().glob(f"{_SCRATCH}*")):        # and what a run that was killed has left
        shutil.rmtree(old)
    with tempfile.TemporaryDirectory(dir=folder(), prefix=_SCRATCH) as scratch:
        root = Path(scratch, "root")
        with _containerd(root) as containerd:
            for file in archives:
                say(f"importing {file.name}, once for all clusters")
                containerd.load(file)
        root.rename(store)


@contextmanager
def _containerd(root: Path) -> Iterator[Containerd]:
    """A containerd of one's own, in a mount namespace of its own."""
    with tempfile.TemporaryDirectory(prefix="dss-") as run_folder:
        config, log = Path(run_folder, "config.toml"), Path(run_folder, "log")
        containerd = Containerd(None, f"{run_folder}/containerd.sock")
        config.write_text(f"""\
version = 2
root = "{root}"
state = "{run_folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{containerd.socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{run_folder}/opt"
""")
        command = tied(["unshare", "--mount", "containerd", f"--config={config}"])
        with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
            try:
                wait_for(lambda: process.poll() is not None or containerd.answers(), "containerd answers", _START_S)
                if process.poll() is not None:
                    raise ClusterError(f"containerd ended:\n{log.read_text(errors='replace')[-2000:]}")
                yield containerd
            finally:
                process.terminate()


def _copy(store: Path, root: Path) -> None:
    """Hard links but for the databases; to another name first, so that `root` is whole once it is there."""
    scratch = root.with_name(f".{root.name}")
    try:
        _cp(store, scratch, "--link")
    except ClusterError:            # the cache is on another file system than the cluster's state
        _cp(store, scratch, "--reflink=auto")
    for database in scratch.glob("*/*.db"):
        original = store / database.relative_to(scratch)
        database.unlink()
        shutil.copy2(original, database)
    scratch.rename(root)


def _cp(store: Path, to: Path, how: str) -> None:
    shutil.rmtree(to, ignore_errors=True)
    run(["cp", "--archive", how, str(store), str(to)])
