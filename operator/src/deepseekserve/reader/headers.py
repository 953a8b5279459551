"""Turns the header of a safetensors file into bytes by number format; the weights behind it are never read.

Pure. The format: 8 bytes, little endian, the header's length; the header, JSON: `{name: {dtype, shape, data_offsets}}`;
the numbers, without a gap (https://huggingface.co/docs/safetensors/index#format).
"""

import re
from collections.abc import Mapping
from typing import TypeGuard

from deepseekserve.reader.summary import Outcome, Unreadable

PREFIX_BYTES = 8
FORMAT_BYTES = 100_000_000             # the format's own bound of a header
MOST_BYTES = 16 << 20                  # of one that is read: ten times that of DeepSeek-R1's largest file
METADATA = "__metadata__"
_DTYPE = re.compile(r"[A-Z][A-Z0-9_]{1,15}")


def length(name: str, prefix: bytes) -> int:
    """Bytes of the header; raises Unreadable where it cannot be one."""
    if len(prefix) < PREFIX_BYTES:
        raise Unreadable(Outcome.DAMAGED, f"{name} is damaged: {len(prefix)} bytes are no safetensors file")
    found = int.from_bytes(prefix, "little")
    if found > FORMAT_BYTES or found < 2:
        raise Unreadable(Outcome.DAMAGED, f"{name} is damaged: its header would have {found} bytes")
    if found > MOST_BYTES:
        raise Unreadable(Outcome.TOO_LARGE, f"{name} has a header of {found} bytes")
    return found


def add(name: str, header: object, data_bytes: int | None, total: dict[str, int]) -> None:
    """Add a file's bytes to `total`; raises Unreadable where the header does not describe so many bytes of numbers."""
    end = 0
    for entry in _entries(name, header):
        dtype, offsets = entry.get("dtype"), entry.get("data_offsets")
        if not (isinstance(dtype, str) and _DTYPE.fullmatch(dtype) and _are_offsets(offsets)):
            raise Unreadable(Outcome.DAMAGED, f"{name} is damaged: a tensor of its header has no format or place")
        begin, stop = offsets
        total[dtype] = total.get(dtype, 0) + stop - begin
        end = max(end, stop)
    if data_bytes is not None and data_bytes != end:
        state = "cut short" if data_bytes < end else "longer than its header says"
        raise Unreadable(Outcome.DAMAGED, f"{name} is {state}: {data_bytes} of {end} bytes of weights")


def _entries(name: str, header: object) -> list[Mapping[str, object]]:
    if not isinstance(header, Mapping):
        raise Unreadable(Outcome.DAMAGED, f"{name} is damaged: its header is no map")
    return [entry if isinstance(entry, Mapping) else {} for key, entry in header.items() if key != METADATA]


def _are_offsets(raw: object) -> TypeGuard[list[int]]:
    if not isinstance(raw, list | tuple) or len(raw) != 2 or not all(type(offset) is int for offset in raw):
        return False
    return bool(0 <= raw[0] <= raw[1] < 1 << 50)
