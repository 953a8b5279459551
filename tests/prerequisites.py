"""Names what a bare machine lacks, and how to get it, before anything long begins. Standard library only."""

import importlib.util
import re
import shutil
import subprocess
import sys

GO = (1, 24)
PYTHON = (3, 11)


def missing() -> list[str]:
    """One line for each missing or too old prerequisite, with the way to get it."""
    lines = []
    if sys.version_info < PYTHON:
        this = sys.version.split()[0]
        lines.append(f"Python 3.11 or later (this is {this}): apt-get install python3.11, then make PYTHON=python3.11")
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        lines.append("Python's venv module: apt-get install python3-venv")
    if (go := go_version()) is None:
        lines.append("Go 1.24 or later: https://go.dev/doc/install, then put its bin folder on PATH")
    elif go < GO:
        lines.append(f"Go 1.24 or later (this is {go[0]}.{go[1]}): https://go.dev/doc/install")
    lines += [f"{tool}: apt-get install {tool}" for tool in ("make", "git") if shutil.which(tool) is None]
    return lines


def go_version() -> tuple[int, int] | None:
    """Version of the `go` command on PATH, or None without one."""
    if shutil.which("go") is None:
        return None
    printed = subprocess.run(["go", "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", printed)
    return (int(found[1]), int(found[2])) if found else None


def main() -> int:
    """Print what is missing; exit code 1 when something is."""
    lines = missing()
    for line in lines:
        print(f"missing: {line}", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
