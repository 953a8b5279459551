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
from tests.cluster.processes import end_pids
from tests.cluster.progress import say

KEEP = 2            # stores; one holds its images twice, as layers and as files: 6.4 GB for that of the engine
_END_S = 10
_SCRATCH = ".making-"
_START_S = 60


def stock(root: Path, archives: Sequence[Path]) -> None:
    """Make `root`, which must not exist, a containerd's root folder that has the images of these archives."""
    with locked(folder() / "lock", "importing images"):
        store = store_of(archives)
        if not store.exists():
            _make(store, archives)
        os.utime(store)             # the most recently used are kept
        _copy(store, root)


def folder() -> Path:
    """Where the stores are kept."""
    return cache() / "image-stores"


def store_of(archives: Sequence[Path]) -> Path:
    """The folder of a store, named after its images and the containerd whose databases it has."""
    made_of = (run(["containerd", "--version"]), sorted(archive.images(*archives).items()))
    return folder() / hashlib.sha256(repr(made_of).encode()).hexdigest()[:12]


def _make(store: Path, archives: Sequence[Path]) -> None:
    for left in folder().glob(f"{_SCRATCH}*"):        # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder(), prefix=_SCRATCH) as scratch:
        root = Path(scratch, "root")
        with _containerd(root) as containerd:
            for file in archives:
                say(f"importing {file.name}, once for all clusters")
                containerd.load(file)
        root.rename(store)
    for old in sorted(folder().glob("?" * 12), key=lambda s: s.stat().st_mtime)[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)


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
                end_pids([process.pid], patience_s=_END_S)


def _copy(store: Path, root: Path) -> None:
    """Hard links but for the databases; to another name first, so that `root` is whole once it is there."""
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=f".{root.name}-") as scratch:
        copy = Path(scratch, "root")
        try:
            run(["cp", "--archive", "--link", str(store), str(copy)])
        except ClusterError:            # the cache is on another file system than the cluster's state
            shutil.rmtree(copy, ignore_errors=True)
            run(["cp", "--archive", "--reflink=auto", str(store), str(copy)])
        for database in copy.glob("*/*.db"):
            database.unlink()
            shutil.copy2(store / database.relative_to(copy), database)
        copy.rename(root)
