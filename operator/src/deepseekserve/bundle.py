"""Turns the agent's sources into one zipapp, the same bytes every time: what the agent's ConfigMap carries.

Used by render (the ConfigMap's data) and by the chart's tests; the name of the ConfigMap ends in the hash of the
SOURCES, because two builds of zlib may compress the same sources to different bytes.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MAX_BYTES = 100 * 1024                 # a ConfigMap holds 1 MiB with everything in base64; this leaves room for ten
HASH_LENGTH = 10
EPOCH = (1980, 1, 1, 0, 0, 0)          # the earliest time that a zip can carry
ENTRY = "__main__.py"
ENTRY_SOURCE = b"""\
from deepseekserve.agent.main import run

run()
"""


@dataclass(frozen=True)
class Bundle:
    """The agent as a zipapp, and the hash of what it was made from (10 hexadecimal digits)."""

    data: bytes
    hash: str


@cache
def build() -> Bundle:
    """Pack the installed agent."""
    sources = dict(sorted(_sources(Path(__file__).parent)))
    return Bundle(data=pack(sources), hash=digest(sources))


def pack(sources: Mapping[str, bytes], limit_bytes: int = MAX_BYTES) -> bytes:
    """Zip files in their given order with fixed times and modes, so that equal sources give equal bytes.

    Raises ValueError when the zip is larger than its limit.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sources.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3                       # Unix, wherever this runs
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content, compresslevel=9)
    if buffer.tell() > limit_bytes:
        raise ValueError(f"the agent's zipapp has {buffer.tell()} bytes, allowed are {limit_bytes}")
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
