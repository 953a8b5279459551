"""Turns the agent's sources into one zipapp, the same bytes every time: what the agent's ConfigMap carries.

Used by render (the ConfigMap's data) and by the chart's tests; the name of the ConfigMap ends in the hash of the
SOURCES, because two builds of zlib may compress the same sources to different bytes.
"""

import ast
import hashlib
import io
import tokenize
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HASH_LENGTH = 10
EPOCH = (1980, 1, 1, 0, 0, 0)          # the earliest time that a zip can carry
ENTRY = "__main__.py"
ENTRY_SOURCE = b"""\
from deepseekserve.agent.__main__ import run

run()
"""


@dataclass(frozen=True)
class Bundle:
    """The agent as a zipapp, and the hash of what it was made from (10 hexadecimal digits)."""

    data: bytes
    hash: str


@cache
def build() -> Bundle:
    """Pack the installed agent (a test keeps it below 100 KiB; a ConfigMap could hold 1 MiB)."""
    sources = dict(sorted(_sources(Path(__file__).parent)))
    return Bundle(data=pack({name: strip(content) for name, content in sources.items()}), hash=digest(sources))


def strip(source: bytes) -> bytes:
    """Blank out docstrings and comments, a fifth of the zip; every line keeps its number, for tracebacks."""
    text = source.decode()
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    for docstring in _docstrings(ast.parse(text)):
        for row in range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1):
            lines[row - 1] = ""
    return "\n".join([*lines, ""]).encode()


def pack(sources: Mapping[str, bytes]) -> bytes:
    """Zip files in their given order with fixed times and modes, so that equal sources give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sources.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3                       # Unix, wherever this runs
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content, compresslevel=9)
    return buffer.getvalue()


def digest(sources: Mapping[str, bytes]) -> str:
    """Hash names and contents; lengths stand before them, so that no two sets of files look alike."""
    total = hashlib.sha256()
    for name, content in sorted(sources.items()):
        total.update(f"{len(name)}:{name}:{len(content)}:".encode())
        total.update(content)
    return total.hexdigest()[:HASH_LENGTH]


def _sources(package: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of the zipapp: its entry, the package's docstring, and the agent's modules.

    Nothing else may lie there and be packed by accident: caches and editors leave files anywhere.
    """
    yield ENTRY, ENTRY_SOURCE
    yield f"{package.name}/__init__.py", (package / "__init__.py").read_bytes()
    for path in (package / "agent").rglob("*.py"):
        name = path.relative_to(package.parent)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            yield str(name), path.read_bytes()


def _docstrings(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the docstrings that stand before something else; a body of nothing but one needs it."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            is_documented = ast.get_docstring(node, clean=False) is not None
            if is_documented and len(node.body) > 1:
                yield node.body[0]
