"""Turns a Summary into a message where it is to stand: a pod's termination log, or standard output."""

import sys

from deepseekserve.agent import termination
from deepseekserve.reader.summary import Summary, message


def say(found: Summary, file: str | None) -> int:
    """Write it, or print it where no file is named; the exit code."""
    said = message(found)
    if file is None:
        sys.stdout.write(said.decode() + "\n")
    elif not termination.write(file, said):
        sys.stderr.write(f"{file} cannot be written\n")
        return 1
    return 0
