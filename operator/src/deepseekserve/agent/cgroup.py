"""Turns the container's cgroup into the number of processes that the kernel's OOM killer has ended in it.

Read by `main` before the engine starts and by `supervisor` after it ended: a risen number means HostOutOfMemory.
"""

from collections.abc import Iterator
from pathlib import Path

_FILES = {"": "memory.events", "memory": "memory.oom_control"}      # cgroup v2 has no controller's name, v1 has


def oom_kills(root: Path = Path("/")) -> int | None:
    """Return the counter of cgroup v2's memory.events or v1's memory.oom_control; None where neither can be read."""
    for path in _candidates(root):
        count = _counter(path)
        if count is not None:
            return count
    return None


def _candidates(root: Path) -> Iterator[Path]:
    """Yield where our cgroup may stand: as named by /proc (no cgroup namespace), else at the mount's top."""
    mount = root / "sys/fs/cgroup"
    for controller, path in _memberships(root / "proc/self/cgroup"):
        name = _FILES[controller]
        base = mount / controller
        yield base / path.strip("/") / name
        yield base / name


def _memberships(listing: Path) -> list[tuple[str, str]]:
    try:
        lines = listing.read_text(errors="replace").splitlines()
    except OSError:
        return []
    fields = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    named = [(controller, path) for _, controllers, path in fields for controller in controllers.split(",")]
    return [(controller, path) for controller, path in sorted(named, reverse=True) if controller in _FILES]


def _counter(path: Path) -> int | None:
    try:
        words = path.read_text(errors="replace").split()
    except OSError:
        return None
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    count = pairs.get("oom_kill", "")
    return int(count) if count.isdigit() else None
