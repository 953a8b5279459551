"""What a scenario did and saw, as one section of docs/soak.md; a section that was not run again stays as it is."""

import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.cluster.lock import locked
from tests.integration.operating import ROOT

HEAD = """\
# Soak tests

Written by `make soak`, which takes half an hour on two idle cores and is no part of `make test`. Each section says
when, at which commit and on which machine it was run. One alone: `python -m pytest tests/soak -k kills`; the options
are in `tests/soak/conftest.py`.
"""


@dataclass
class Section:
    """One scenario: a title, what was done in words, figures by name, and how it ended."""

    title: str
    say: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    done: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)
    result: str = "did not end"

    def did(self, what: str) -> None:
        """Tell what was done; it is shown at once, and stands in the report."""
        self.done.append(what)
        self.progress(what)

    def found(self, what: str, value: object) -> None:
        """Tell a figure."""
        counts = ", ".join(f"{name} {number}" for name, number in value.items()) if isinstance(value, Mapping) else ""
        self.figures[what] = counts or str(value)
        self.progress(f"{what}: {self.figures[what]}")

    def progress(self, what: str) -> None:
        """Show a line with the seconds since the scenario began."""
        self.say(f"[{time.monotonic() - self.began:6.1f} s] {what}")

    def ended(self, result: str) -> None:
        """Take note of the end: passed, or failed with these words."""
        self.result = f"{result}, after {time.monotonic() - self.began:.0f} s"

    def text(self) -> str:
        """The section in Markdown."""
        lines = [f"## {self.title}", "", f"*{self.result}; {provenance()}*", ""]
        lines += [f"{number}. {what}" for number, what in enumerate(self.done, 1)]
        lines += ["", "| figure | value |", "|---|---|", *(f"| {k} | {v} |" for k, v in self.figures.items())]
        return "\n".join(lines) + "\n"


def write(path: Path, sections: list[Section]) -> None:
    """Put the sections in the place of those of the same titles; the others, and their order, stay."""
    with locked(path.with_suffix(".lock"), "the report"):
        before = path.read_text() if path.exists() else ""
        kept = {text.splitlines()[0].removeprefix("## "): text for text in re.split(r"(?m)^(?=## )", before)[1:]}
        kept |= {section.title: section.text() for section in sections}
        path.write_text(HEAD + "".join(f"\n{text.strip()}\n" for _, text in sorted(kept.items())))


def provenance() -> str:
    """Date, commit and machine."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.release()}"
    return f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, {machine}"


def _commit() -> str:
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "operator"], check=False).returncode
    return (commit.stdout.strip() or "unknown") + (" with changes that were not committed" if changed else "")
