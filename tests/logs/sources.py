"""Walks the errors that vLLM's sources can raise in a start, and says which of them the diagnosis names.

    python -m tests.logs.sources FOLDER... [--list] [--table]

Each `raise` with a text, and each `assert` with one, in the parts that a start passes through. What a text's
placeholders hold is not known here, so numbers and words are tried. A text that no signature fits is told as `Unknown`
with its first line: that is right where nothing more can be said, and a hint to write a signature where it can. For the
next version: unpack its wheel, read what is new with --list, add wordings, then write sources.tsv with --table.
"""

import argparse
import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures import classify

TABLE = Path(__file__).with_suffix(".tsv")

# Where each release keeps them: a file of 0.6 is a folder in 0.10, and V1's folders stand where V0's stood.
PARTS: Mapping[str, tuple[str, ...]] = {
    "config": (
        "config.py", "config", "engine/arg_utils.py", "envs.py", "transformers_utils/config.py",
        "transformers_utils/configs"),
    "command line": (
        "entrypoints/cli", "entrypoints/openai/cli_args.py", "entrypoints/openai/api_server.py",
        "entrypoints/launchers", "utils/argparse_utils.py", "scripts.py"),
    "platforms": ("platforms",),
    "executors": (
        "executor", "v1/executor", "ray", "engine/multiprocessing", "v1/engine/core.py", "v1/engine/core_client.py",
        "v1/engine/coordinator.py", "v1/engine/utils.py"),
    "worker start": ("worker", "v1/worker", "v1/core/kv_cache_utils.py", "v1/core/encoder_cache_manager.py"),
    "links": (
        "distributed/parallel_state.py", "distributed/device_communicators", "distributed/utils.py",
        "distributed/stateless_coordinator.py"),
    "model loaders": ("model_executor/model_loader", "model_executor/models/registry.py"),
    "quantization": ("model_executor/layers/quantization", "model_executor/layers/fused_moe/oracle"),
    "attention": ("attention", "v1/attention", "model_executor/layers/attention"),
    "LoRA": ("lora",),
    "speculation": ("spec_decode", "v1/spec_decode"),
    "tokenizers": (
        "tokenizers", "transformers_utils/tokenizer.py", "transformers_utils/tokenizers",
        "transformers_utils/tokenizer_group"),
}
FILLINGS = ("7", "x", "7.5")


class Left(NamedTuple):
    """What the count leaves out, and why; `pattern` is searched in `path:function`."""

    pattern: str
    what: str
    why: str


LEFT_OUT = (
    Left(r":(?:\w*forward\w*|apply\w*|execute\w*|sample\w*|propose\w*|step\w*|\w*_requests?|_?update_states)$"
         r"|/ops/|worker/gpu/(?:sample|pool)/|ubatch|_encoding\.py",
         "what computes a request", "in a warm-up it fails by a kernel's fault, and later the engine serves"),
    Left(r":\w*(?:elastic|scale_|reload|weight_update|weight_transfer|sleep|pause|resume|release_|profile$)"
         r"|:(?:add|pin|list|remove|activate)_\w+$|/reload/|checkpoint_weight_patch|tensorizer\.py:(?:serialize|tensorize)",
         "what a client asks of a running engine", "adapters, new weights, sleep and other sizes come over its API"),
    Left(r"(?:^|[/_])(?:hpu|tpu|neuron|openvino|pallas|nki)\w*(?:\.py|/)",
         "TPU, Gaudi, Neuron and OpenVINO", "spec.engine.device offers GPU and CPU"),
    Left(r"cli/(?:benchmark|preload|snapshot|run_batch|types)|launchers/run_batch|model_loader/weight_cache",
         "other commands", "the operator starts `vllm serve` only"),
    Left(r"_test\w*\.py", "helpers of vLLM's own tests", "an engine does not call them"),
)


class Site(NamedTuple):
    """One place where an error is raised: its path with the line, and the error as a log would show it."""

    place: str
    function: str
    part: str
    texts: tuple[str, ...]          # one for each filling of its placeholders

    @property
    def reason(self) -> Reason | None:
        """What the diagnosis calls it."""
        frames = f'File "/x/vllm/{self.place.partition(":")[0]}", line 1, in {self.function}'
        said = [text for plain in self.texts for text in (plain, *_wrapped(self.place, plain))]
        found = (classify(text, frames) for text in said)
        return next((known[0].reason for known in found if known), None)


def _wrapped(place: str, text: str) -> Iterator[str]:
    """What a configuration's own checks raise is shown by pydantic."""
    if place.startswith("config/"):
        yield f"ValidationError: 1 validation error for VllmConfig\n  Value error, {text.partition(': ')[2]}"


def sites(package: Path) -> Iterator[Site]:
    """All places of the package's PARTS, in order."""
    for part, places in PARTS.items():
        for path in sorted(path for place in places for path in _modules(package / place)):
            name = str(path.relative_to(package))
            for line, function, texts in sorted(_raised(ast.parse(path.read_text(encoding="utf-8")), "<module>")):
                if not any(re.search(left.pattern, f"{name}:{function}") for left in LEFT_OUT):
                    yield Site(f"{name}:{line}", function, part, texts)


def _modules(place: Path) -> Iterator[Path]:
    return place.rglob("*.py") if place.is_dir() else iter([place] if place.is_file() else [])


def _raised(node: ast.AST, function: str) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Line, function and texts of each error below `node`."""
    for child in ast.iter_child_nodes(node):
        texts = tuple(dict.fromkeys(text for filling in FILLINGS if (text := _text(child, filling))))
        if texts:
            yield getattr(child, "lineno", 0), function, texts
        inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield from _raised(child, inside)


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


def version(package: Path) -> str:
    """The release that a folder `vllm` belongs to."""
    said = re.search(r"version = '([\d.]+)", (package / "_version.py").read_text(encoding="utf-8"))
    assert said is not None, package
    return said[1]


class Row(NamedTuple):
    """A line of the table: how many errors a part of a release raises, and how many of them are named."""

    version: str
    part: str
    raised: int
    named: int


def count(package: Path) -> list[Row]:
    """The rows of one release."""
    found = list(sites(package))
    raised, named = Counter(site.part for site in found), Counter(site.part for site in found if site.reason)
    return [Row(version(package), part, raised[part], named[part]) for part in PARTS] if found else []


def table() -> list[Row]:
    """The rows on record."""
    lines = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]]
    return [Row(release, part, int(raised), int(named)) for release, part, raised, named in lines]


def record(rows: Sequence[Row]) -> None:
    """Put rows into the table, in the place of those of the same releases."""
    counted = {row.version for row in rows}
    rows = [*(row for row in table() if row.version not in counted), *rows]
    rows.sort(key=lambda row: [int(number) for number in row.version.split(".")])
    lines = ["\t".join(Row._fields), *("\t".join(map(str, row)) for row in rows)]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Print or record how much each package raises; with --list print what no signature fits."""
    parser = argparse.ArgumentParser(prog="python -m tests.logs.sources", description=str(__doc__).splitlines()[0])
    parser.add_argument("packages", type=Path, nargs="+", metavar="FOLDER",
                        help="a folder `vllm`, in a site-packages or out of a wheel")
    parser.add_argument("--list", action="store_true", help="print the errors that no signature fits")
    parser.add_argument("--table", action="store_true", help=f"record the numbers in {TABLE.name}")
    asked = parser.parse_args(arguments)
    if asked.list:
        for site in (site for package in asked.packages for site in sites(package) if site.reason is None):
            print(f"{site.place}\t{site.function}\t{' '.join(site.texts[0].split())}")
        return 0
    counts = {package: count(package) for package in asked.packages}
    for package in (package for package, rows in counts.items() if not rows):
        print(f"no errors found below {package}: give the folder of the package itself", file=sys.stderr)
        return 2
    rows = [row for counted in counts.values() for row in counted]
    if asked.table:
        record(rows)
    else:
        print("\n".join("\t".join(map(str, row)) for row in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
