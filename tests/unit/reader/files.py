"""Files of models as they lie in folders: safetensors by the definition of their format."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SIZES = {"F32": 4, "BF16": 2, "F8_E4M3": 1, "I32": 4}
INDEX = "model.safetensors.index.json"


def safetensors(tensors: Mapping[str, tuple[str, list[int]]]) -> bytes:
    """A file with these tensors (name -> format and shape), all of zeros."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        size = SIZES[dtype]
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    return framed(json.dumps(header).encode(), bytes(end))


def framed(header: bytes, data: bytes = b"") -> bytes:
    """A file with this header, whatever it says."""
    return len(header).to_bytes(8, "little") + header + data


def folder(path: Path, **files: object) -> Path:
    """Write files: bytes as they are, everything else as JSON; `__` stands for the dot of the ending."""
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        (path / name.replace("__", ".")).write_bytes(data)
    return path
