"""Turns a command into a process in a session of its own, and keeps the duties of PID 1 for it and all that it leaves.

Used by `supervisor` only. Orphans are reaped without stealing the engine's own status; killing reaches every
descendant, in whatever group or session it hides, because an orphan that lives holds the GPU's memory.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """One line of /proc: state is a letter (T stopped, D waiting for a device, Z dead), cpu_s what it has used."""

    pid: int
    parent: int
    state: str
    cpu_s: float


def adopt_orphans() -> bool:
    """Become the parent of every orphan below us, as PID 1 is anyway; False where the kernel does not offer it."""
    try:
        result: int = ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (OSError, AttributeError):
        return False
    return result == 0


def start(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start the engine with its output in pipes; raises OSError when the program cannot be started."""
    wire, _ours = os.pipe()
    try:
        child = subprocess.Popen(  # noqa: S603  running the given command is what the agent is for
            list(command), env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            start_new_session=True, pass_fds=(wire,),
        )
        _tie(wire, child.pid)
    finally:
        os.close(wire)
    return child


def _tie(wire: int, group: int) -> None:
    """Have the kernel kill the engine's group when we die and close the wire's other end, which nobody else does.

    In a pod the end of PID 1 is everybody's end. Elsewhere PR_SET_PDEATHSIG would reach only the engine's main process,
    but not its workers, which hold the GPU. The engine's copy of the wire keeps this order when ours is closed.
    """
    with contextlib.suppress(OSError):
        fcntl.fcntl(wire, fcntl.F_SETOWN, -group)
        fcntl.fcntl(wire, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(wire, fcntl.F_SETFL, fcntl.fcntl(wire, fcntl.F_GETFL) | os.O_ASYNC)


def reap(child: "subprocess.Popen[bytes]") -> None:
    """Collect everything that has died; the child's own status goes to `child.returncode`.

    Looking with WNOWAIT first leaves the child's status where subprocess expects it.
    """
    while True:
        try:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if dead is None:
            return
        if dead.si_pid == child.pid:
            child.poll()
        else:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(dead.si_pid, os.WNOHANG)


def descendants(root: int) -> tuple[Process, ...]:
    """List every living process below `root`, however deep; empty where /proc cannot be read."""
    everyone = list(_all())
    found: dict[int, Process] = {}
    parents = {root}
    while parents:
        below = [p for p in everyone if p.parent in parents and p.pid not in found]
        found.update((p.pid, p) for p in below)
        parents = {p.pid for p in below}
    return tuple(p for p in found.values() if p.state not in "ZX")


def kill_all(child: "subprocess.Popen[bytes]", below: int) -> None:
    """Send SIGKILL to the child's group, which may outlive the child, and to every descendant of `below`."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    for process in descendants(below):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL)


def _all() -> Iterator[Process]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if name.isdigit():
            process = _read(int(name))
            if process:
                yield process


def _read(pid: int) -> Process | None:
    """Parse /proc/PID/stat; the program's name stands in brackets and may itself hold brackets and spaces."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        fields = text[text.rindex(")") + 2:].split()
        return Process(pid, int(fields[1]), fields[0], (int(fields[11]) + int(fields[12])) / _TICKS_PER_S)
    except (OSError, ValueError, IndexError):
        return None
