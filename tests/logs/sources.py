"""Walks the errors that an installed vLLM can raise, and says which of them the diagnosis names.

    python -m tests.logs.sources FOLDER-OF-THE-PACKAGE [--list]

Each `raise` with a text, and each `assert` with one, in the parts that a start passes through. What a text's
placeholders hold is not known here, so numbers and words are tried. A text that no signature fits is told as `Unknown`
with its first line: that is right where nothing more can be said, and a hint to write a signature where it can. For the
next version: run it, read what is new with --list, add wordings.
"""

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures import classify

PARTS = (
    "config", "engine", "platforms", "v1/engine", "v1/executor", "v1/worker", "v1/core", "model_executor/model_loader",
    "model_executor/layers/quantization", "transformers_utils", "distributed", "entrypoints/cli",
)
FILLINGS = ("7", "x", "7.5")


class Site(NamedTuple):
    """One place where an error is raised: its path with the line, and the error as a log would show it."""

    place: str
    part: str
    texts: tuple[str, ...]          # one for each filling of its placeholders

    @property
    def reason(self) -> Reason | None:
        """What the diagnosis calls it, from the text alone."""
        frames = f'File "/x/vllm/{self.place.partition(":")[0]}", line 1, in x'
        said = [text for plain in self.texts for text in (plain, *_wrapped(self.part, plain))]
        found = (classify(text, frames) for text in said)
        return next((known[0].reason for known in found if known), None)


def _wrapped(part: str, text: str) -> Iterator[str]:
    """What a configuration's own checks raise is shown by pydantic."""
    if part == "config":
        yield f"ValidationError: 1 validation error for VllmConfig\n  Value error, {text.partition(': ')[2]}"


def sites(package: Path) -> Iterator[Site]:
    """All places of the package's PARTS, in order."""
    for part in PARTS:
        folder = package / part
        for path in sorted(folder.rglob("*.py")) if folder.is_dir() else []:
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for line, node in sorted(((getattr(n, "lineno", 0), n) for n in nodes), key=lambda found: found[0]):
                texts = tuple(dict.fromkeys(text for filling in FILLINGS if (text := _text(node, filling))))
                if texts:
                    yield Site(f"{path.relative_to(package)}:{line}", part, texts)


def _text(node: ast.AST, filling: str) -> str:
    """The error as Python prints it; empty where the node raises nothing, or nothing with a text of its own."""
    match node:
        case ast.Raise(exc=ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[said, *_])):
            text = _said(said, filling)
        case ast.Assert(msg=ast.expr() as said):
            name, text = "AssertionError", _said(said, filling)
        case _:
            return ""
    return f"{name}: {text}" if text.strip(f" {filling}") else ""


def _said(node: ast.expr, filling: str) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_said(part, filling) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _said(left, filling) + _said(right, filling)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return text.replace("{}", filling)
    return filling


def main(arguments: Sequence[str]) -> int:
    """Print one line for each part, then, if asked, what no signature fits."""
    parser = argparse.ArgumentParser(prog="python -m tests.logs.sources", description=str(__doc__).splitlines()[0])
    parser.add_argument("package", type=Path, metavar="FOLDER", help="the folder `vllm` in a site-packages, or a wheel")
    parser.add_argument("--list", action="store_true", help="also list the errors that no signature fits")
    asked = parser.parse_args(arguments)
    found = list(sites(asked.package))
    if not found:
        print(f"no errors found below {asked.package}: give the folder of the package itself", file=sys.stderr)
        return 2
    print("| part | errors | named |\n| --- | --: | --: |")
    named = Counter(site.part for site in found if site.reason)
    for part, count in Counter(site.part for site in found).items():
        print(f"| `{part}` | {count} | {named[part]} |")
    print(f"| all | {len(found)} | {sum(named.values())} |")
    if asked.list:
        for site in found:
            if site.reason is None:
                print(f"{site.place}\t{' '.join(site.texts[0].split())}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
