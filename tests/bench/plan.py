"""Measures how long `deepseekserve plan` takes to answer, with warm caches and with cold ones.

Cold: no file of Python's or of ours is in the kernel's page cache, as far as no other process has it mapped. Bytecode
is there, as an installation leaves it.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import deepseekserve
from tests.bench.report import BenchError, Figures, spread
from tests.integration.operating import ROOT

RESOURCE = ROOT / "tests" / "demo" / "guide.yaml"
ROUNDS = 10
_REFUSED = 1


def run(report: Callable[[str], None]) -> Figures:
    """Both, in turns."""
    seconds: dict[str, list[float]] = {"cold": [], "warm": []}
    with tempfile.TemporaryDirectory() as bytecode:
        _answer(bytecode)
        for _ in range(ROUNDS):
            seconds["warm"].append(_answer(bytecode))
            seconds["cold"].append(_cold(bytecode))
    answers = {caches: spread(taken) for caches, taken in seconds.items()}
    report(f"from the command to its end: {answers}")
    return {"answers": answers}


def _cold(bytecode: str) -> float:
    for path in _files(bytecode):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    return _answer(bytecode)


def _files(bytecode: str) -> Iterator[Path]:
    """All that an import may read."""
    folders = {bytecode, sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"),
               *(str(Path(place).parent) for place in deepseekserve.__path__)}
    for folder in folders:
        yield from (path for path in Path(folder).rglob("*") if path.is_file())


def _answer(bytecode: str) -> float:
    """Seconds from the start of the process to its end."""
    command: Sequence[str] = (
        sys.executable, "-m", "deepseekserve", "plan", "-f", str(RESOURCE), "--gpu", "Tesla-T4", "-o", "json")
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "PYTHONPYCACHEPREFIX": bytecode}
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    taken = time.monotonic() - began
    if done.returncode != _REFUSED:
        raise BenchError(f"plan ended with {done.returncode}: {done.stderr.decode(errors='replace')[:500]}")
    return taken
