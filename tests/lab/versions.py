"""Other versions of the project: one that git still has, and one of tomorrow, which renders and defaults otherwise.

What an upgrade must survive is tested with both: `previous` is what users run today, `later` has every change at once
that a release may bring.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PREVIOUS = ROOT / "tests" / "chart" / "PREVIOUS"
SOURCES = "operator/src/deepseekserve"
PARTS = ("operator", "charts", "images/operator", "requirements", "crds")


class Change(NamedTuple):
    """One place in a file that a later version has otherwise."""

    file: str
    now: str
    then: str


RENDERS_MORE = Change("engine/environment.py", '"DO_NOT_TRACK": "1",\n', '"DO_NOT_TRACK": "1",\n    "LATER": "1",\n')
HAS_ANOTHER_AGENT = Change("agent/__init__.py", '"""', '"""Of a later version. ')
HAS_A_NEW_FIELD = Change(
    "api/spec.py",
    '    drain_seconds: Rolling[Annotated[int, Whole(0, 86400)]] = 60\n',
    '    later: Rolling[Annotated[int, Whole(0, 9)]] = 7\n'
    '    """A field of a later version. Default: 7."""\n'
    '    drain_seconds: Rolling[Annotated[int, Whole(0, 86400)]] = 60\n',
)
HAS_ANOTHER_DEFAULT = Change(
    "api/spec.py",
    "    stall_seconds: Rolling[Annotated[int, Whole(5, 86400)]] = 600\n",
    "    stall_seconds: Rolling[Annotated[int, Whole(5, 86400)]] = 900\n",
)
CHANGES = (RENDERS_MORE, HAS_ANOTHER_AGENT, HAS_A_NEW_FIELD, HAS_ANOTHER_DEFAULT)


def previous(folder: Path) -> Path:
    """The project as it was at the commit that tests/chart/PREVIOUS names, below `folder`; fetched if it is missing."""
    commit = PREVIOUS.read_text().split()[0]
    _have(commit)
    archive = subprocess.check_output(["git", "archive", commit, *PARTS], cwd=ROOT)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder


def later(folder: Path) -> Path:
    """The project of this checkout with all CHANGES, its CRD made anew, below `folder`."""
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for change in CHANGES:
        file = folder / SOURCES / change.file
        text = file.read_text()
        if change.now not in text:
            raise ValueError(f"{change.file} no longer says {change.now!r}: write the change anew")
        file.write_text(text.replace(change.now, change.then, 1))
    write = [sys.executable, "-m", "deepseekserve.crd", "--write", str(folder)]
    subprocess.run(write, check=True, env={**os.environ, "PYTHONPATH": str(folder / "operator" / "src")})
    return folder


def _have(commit: str) -> None:
    """A shallow clone lacks old commits: fetch this one, from wherever the clone came from."""
    here = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
    if subprocess.run(here, cwd=ROOT, capture_output=True, check=False).returncode:
        fetch = ["git", "fetch", "--quiet", "--depth=1", "origin", commit]
        done = subprocess.run(fetch, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LookupError(f"tests/chart/PREVIOUS names {commit}: try git fetch --unshallow. {done.stderr}")
