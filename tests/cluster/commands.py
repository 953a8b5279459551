"""Runs one command to its end and returns what it printed, or raises with what it complained about."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.errors import ClusterError


def run(command: Sequence[str], *, stdin: str | Path | None = None) -> str:
    """The command's standard output; `stdin` is a text, or a file to read from. Raises ClusterError."""
    if isinstance(stdin, Path):
        with stdin.open("rb") as file:
            done = subprocess.run(command, stdin=file, capture_output=True, text=True, check=False)
    else:
        done = subprocess.run(command, input=stdin or "", capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join(command) if len(command) < 12 else " ".join([*command[:10], "..."])
        raise ClusterError(f"{shown}: exit code {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout
