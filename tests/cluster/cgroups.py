"""A cluster's control groups: one of its name in every hierarchy, on version 1 (and hybrid) and version 2 machines.

    NAME/system      the processes that we start, in one hierarchy, so that none of their children gets lost
    NAME/kubepods    made by the kubelet
"""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError

ROOT = Path("/sys/fs/cgroup")
NEEDED = ("cpu", "cpuset", "memory", "pids")      # by the kubelet
WANTED = (*NEEDED, "io", "hugetlb")


@dataclass(frozen=True)
class Groups:
    """The control groups called `name` under the mount point `root`."""

    name: str
    root: Path = ROOT

    @property
    def is_v2(self) -> bool:
        """One unified hierarchy, as opposed to one per controller."""
        return (self.root / "cgroup.controllers").exists()

    def hierarchies(self) -> list[Path]:
        """The root of every hierarchy; on hybrid machines the empty unified one is among them."""
        if self.is_v2:
            return [self.root]
        folders = sorted(f for f in self.root.iterdir() if f.is_dir() and not f.is_symlink())
        return [f for f in folders if (f / "cgroup.procs").exists()]

    @property
    def system(self) -> Path:
        """The group of the processes that we start."""
        if self.is_v2:
            return self.root / self.name / "system"
        known = {f.name: f for f in self.hierarchies()}
        chosen = next((known[c] for c in ("systemd", "pids", "memory") if c in known), None)
        if chosen is None:
            raise ClusterError(f"no control groups under {self.root}: the kubelet needs them")
        return chosen / self.name / "system"

    def make(self) -> None:
        """Create what is missing; raises ClusterError when a controller that the kubelet needs is not to be had."""
        if self.is_v2:
            _delegate(self.root)
            (self.root / self.name).mkdir(exist_ok=True)
            _delegate(self.root / self.name)
        else:
            for hierarchy in self.hierarchies():
                (hierarchy / self.name).mkdir(exist_ok=True)
                _inherit_cpuset(hierarchy / self.name)
        self.system.mkdir(exist_ok=True)

    def pids(self, below: str = "") -> list[int]:
        """Every process in the groups, or in those under `below`."""
        found: set[int] = set()
        for hierarchy in self.hierarchies():
            for folder, _, _ in os.walk(hierarchy / self.name / below):
                with contextlib.suppress(OSError):     # a group may go while we look
                    found.update(int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split())
        return sorted(found)

    def remove(self) -> None:
        """Remove the groups once their processes have ended; the kernel may need a moment to notice."""
        for hierarchy in self.hierarchies():
            for folder, _, _ in os.walk(hierarchy / self.name, topdown=False):
                _rmdir(Path(folder))

    def left(self) -> list[Path]:
        """The groups that exist."""
        return [h / self.name for h in self.hierarchies() if (h / self.name).exists()]


def _delegate(group: Path) -> None:
    """Hand the controllers down to the children of a version 2 group."""
    available = (group / "cgroup.controllers").read_text().split()
    if lacking := set(NEEDED) - set(available):
        raise ClusterError(
            f"{group}: the controllers {', '.join(sorted(lacking))} are not available, and the kubelet needs them; "
            "run on the machine itself, or in a container that has its own control groups delegated"
        )
    given = (group / "cgroup.subtree_control").read_text().split()
    missing = [c for c in WANTED if c in available and c not in given]
    try:
        if missing:
            (group / "cgroup.subtree_control").write_text(" ".join(f"+{c}" for c in missing))
    except OSError as error:
        raise ClusterError(f"{group}: cannot hand down {', '.join(missing)}: {error.strerror}") from error


def _inherit_cpuset(group: Path) -> None:
    """A new version 1 cpuset is empty, and nothing can run in it."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (group / file).exists() and not (group / file).read_text().strip():
            (group / file).write_text((group.parent / file).read_text())


def _rmdir(folder: Path) -> None:
    deadline = time.monotonic() + 5
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise ClusterError(f"cannot remove the control group {folder}: {error.strerror}") from error
            time.sleep(0.02)
        else:
            return
