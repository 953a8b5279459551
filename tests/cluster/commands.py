"""Runs one command to its end and returns what it printed, or raises with what it complained about."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.errors import ClusterError


def run(command: Sequence[str], *, stdin: str | Path | None = None) -> str:
    """The command's standard output; `stdin` is a text, or a file to read from. Raises ClusterError."""
    try:
        done = _run(command, stdin)
    except FileNotFoundError as error:
        raise ClusterError(f"{error.filename}: no such program or file") from error
    if done.returncode:
        shown = " ".join(command) if len(command) < 12 else " ".join([*command[:10], "..."])
        raise ClusterError(f"{shown}: exit code {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _run(command: Sequence[str], stdin: str | Path | None) -> "subprocess.CompletedProcess[str]":
    if isinstance(stdin, Path):
        with stdin.open("rb") as file:
            return subprocess.run(command, stdin=file, capture_output=True, text=True, check=False)
    return subprocess.run(command, input=stdin or "", capture_output=True, text=True, check=False)


def tied(command: Sequence[str]) -> list[str]:
    """The command, to be killed by the kernel when the process that starts it ends for whatever reason."""
    return ["setpriv", "--pdeathsig=KILL", *command] if shutil.which("setpriv") else list(command)
