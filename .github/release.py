"""Turns a tag into the notes of its release, or says why it is none. Standard library only: it runs before all else.

    python3 .github/release.py v0.1.0 > notes.md
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TAG = re.compile(r"v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)")

# File -> what in it says the version; the first group is the field, the second the version.
VERSIONS = {
    "charts/deepseekserve/Chart.yaml": re.compile(r'^(version|appVersion): "?([^\s"]+)', re.MULTILINE),
    "operator/pyproject.toml": re.compile(r'^(version) = "(.+)"', re.MULTILINE),
}


class NoRelease(Exception):
    """The tag cannot become a release; the message says what to do."""


def notes(tag: str, root: Path = ROOT) -> str:
    """The part of the changelog for this tag, when the tag, the files and the changelog agree; raises NoRelease."""
    named = TAG.fullmatch(tag)
    if named is None:
        raise NoRelease(f"tag {tag}: a release is tagged vMAJOR.MINOR.PATCH, as v0.1.0, or v0.1.0-rc.1 before one")
    for file, pattern in VERSIONS.items():
        for field, version in pattern.findall((root / file).read_text()):
            if version != named[1]:
                raise NoRelease(
                    f"tag {tag}: {file} says {field} {version}: delete the tag, set {field} to {named[1]}, and tag that"
                )
    return _section(named[1], (root / "CHANGELOG.md").read_text())


def _section(version: str, changelog: str) -> str:
    """What stands below the version's heading, up to the next of its rank."""
    heading = rf"^## \[?{re.escape(version)}\]?(?: [^\n]*)?$"
    found = re.search(rf"{heading}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise NoRelease(
            f"tag v{version}: CHANGELOG.md says nothing below a heading `## {version}`: delete the tag, "
            f"make that heading of `## Unreleased`, and tag the commit"
        )
    return found[1].strip() + "\n"


if __name__ == "__main__":
    try:
        sys.stdout.write(notes(sys.argv[1]))
    except NoRelease as problem:
        sys.exit(f"error: {problem}")
