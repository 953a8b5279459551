"""Starts, finds and ends a cluster's processes. Each carries its identity in its environment; there are no pid files.

A process is ours when its environment says so (never by name or by a number in a file), which its children inherit;
or when it lives in the cluster's control group, as the containers do. Both survive that the starter was killed.
"""

import contextlib
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError

MARK = "DSS_CLUSTER_PROCESS"       # STATE FOLDER, COMPONENT and FINGERPRINT, separated by newlines
MAIN = "DSS_CLUSTER_PID"           # the pid of the process that was started, as against its children
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STARTER = f'{MAIN}=$$; export {MAIN}; if [ -n "$1" ]; then echo 0 > "$1"; fi; shift; exec "$@"'
_END_S = 10
_APPEAR_S = 3


@dataclass(frozen=True)
class Process:
    """One running process of the cluster."""

    pid: int
    component: str
    fingerprint: str
    is_main: bool


@dataclass(frozen=True)
class Processes:
    """All processes of the cluster whose state lies in `state`; new ones join the control group `group`, if any."""

    state: Path
    group: Path | None = None

    def all(self) -> list[Process]:
        """Every process that carries this cluster's mark, children included."""
        found = ((pid, _environment(pid)) for pid in pids())
        marked = ((pid, env, env.get(MARK, "").split("\n")) for pid, env in found if MARK in env)
        return [
            Process(pid, mark[1], mark[2], env.get(MAIN) == str(pid))
            for pid, env, mark in marked
            if len(mark) == 3 and mark[0] == str(self.state)
        ]

    def main(self, component: str) -> Process | None:
        """The running process that was started as this component."""
        return next((p for p in self.all() if p.component == component and p.is_main), None)

    def ensure(self, component: str, command: Sequence[str], *, made_of: Iterable[Path] = ()) -> bool:
        """Have the component run with this command and these configuration files; True when it was started now."""
        fingerprint = _fingerprint(command, made_of)
        running = self.main(component)
        if running and running.fingerprint == fingerprint:
            return False
        self.end([component])
        self._start(component, command, fingerprint)
        return True

    def end(self, components: Iterable[str], *, patience_s: float = _END_S) -> None:
        """Ask the components' processes to end, all at once, and kill what does not within `patience_s`."""
        wanted = set(components)
        end_pids([p.pid for p in self.all() if p.component in wanted and p.is_main], patience_s=patience_s)

    def log(self, component: str) -> Path:
        """The component's log file."""
        return self.state / "log" / f"{component}.log"

    def _start(self, component: str, command: Sequence[str], fingerprint: str) -> None:
        procs = str(self.group / "cgroup.procs") if self.group else ""
        environment = {"PATH": PATH, "HOME": "/root", MARK: f"{self.state}\n{component}\n{fingerprint}"}
        with self.log(component).open("ab") as log:
            subprocess.run(
                ["setsid", "--fork", "sh", "-c", _STARTER, "sh", procs, *command],
                cwd=self.state, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True,
            )
        # It carries the mark as soon as it is what it shall be; one that ended at once never does.
        deadline = time.monotonic() + _APPEAR_S
        while not self.main(component) and time.monotonic() < deadline:
            time.sleep(0.01)


def pids() -> Iterator[int]:
    """Every process that this one can see."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def end_pids(victims: Sequence[int], *, patience_s: float) -> None:
    """SIGTERM, then SIGKILL after `patience_s`; returns when all have ended."""
    _signal(victims, signal.SIGTERM)
    if _wait_until_gone(victims, patience_s):
        return
    _signal(victims, signal.SIGKILL)
    if not _wait_until_gone(victims, _END_S):
        alive = [pid for pid in victims if _is_alive(pid)]
        raise ClusterError(f"processes {alive} do not end, not even by SIGKILL; they may wait for a disk")


def _signal(victims: Iterable[int], number: int) -> None:
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _wait_until_gone(victims: Sequence[int], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while any(_is_alive(pid) for pid in victims):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_alive(pid: int) -> bool:
    """Running, and not a zombie that waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def _environment(pid: int) -> dict[str, str]:
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return dict(item.split("=", 1) for item in raw.split("\0") if "=" in item)


def _fingerprint(command: Sequence[str], files: Iterable[Path]) -> str:
    digest = hashlib.sha256("\0".join(command).encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
