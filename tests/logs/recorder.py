"""Gives tests the recorded logs as the engine's own bytes, with what their index says of them.

The CPU logs lie beside this file. Their recorder has put `[seconds] ` before each line, `<CRLF>`, `<CR>` and `<EOF>`
where a record ended otherwise, and lines of its own behind `####`; `undo` takes that back. Logs from GPU machines
belong to third parties: they are read from beside the checkout when they are there, and never copied in. They have no
time per line but vLLM's own stamps and bars, which are enough to replay a start by the clock (`clocked`).
"""

import csv
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import accumulate
from pathlib import Path

HERE = Path(__file__).parent
CPU = HERE / "vllm-0.32-cpu"
GPU = Path(os.environ.get("DSS_SHARED") or HERE.parents[2] / "shared") / "logs" / "vllm-gpu"

_STAMP = re.compile(rb"^\[ *([\d.]+)\] ?")
_CLOCK = re.compile(rb"(?:DEBUG|INFO|WARNING|ERROR) (\d\d-\d\d \d\d:\d\d:\d\d)")
_SPENT = re.compile(rb"\[(?:(\d+):)?(\d+):(\d\d)<")
_ENDS = {b"<CRLF>": b"\r\n", b"<CR>": b"\r", b"<EOF>": b""}


def undo(recorded: bytes) -> Iterator[tuple[float, bytes]]:
    """Yield the second and the engine's own bytes of each recorded line."""
    second = 0.0
    for line in recorded.split(b"\n"):
        if line.startswith(b"####") or not line:
            continue
        stamp = _STAMP.match(line)
        second = float(stamp[1]) if stamp else second
        said = line[stamp.end() :] if stamp else line
        for mark, end in _ENDS.items():
            if said.endswith(mark):
                yield second, said[: -len(mark)] + end
                break
        else:
            yield second, said + b"\n"


@dataclass(frozen=True)
class Log:
    """One log: `cause` is the reason that its index gives, "" where the engine came up."""

    path: Path
    cause: str
    row: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return self.path.stem

    @cached_property
    def engine_bytes(self) -> bytes:
        """What the engine wrote."""
        return b"".join(data for _, data in self.timed())

    def timed(self) -> Iterator[tuple[float, bytes]]:
        """Yield what the engine wrote, with the second; always 0 where the log has no times."""
        data = self.path.read_bytes()
        if self.path.parent == CPU:
            return undo(data)
        return iter([(0.0, data)])

    def clocked(self) -> Iterator[tuple[float, bytes]]:
        """Yield each line with its second: the recorder's, else the engine's own, counted from its first stamp."""
        lines = [(second, line) for second, data in self.timed() for line in data.splitlines(keepends=True)]
        return iter(lines) if self.path.parent == CPU else _by_stamps([line for _, line in lines])

    def field(self, name: str) -> str:
        """Value of a column of the index."""
        return dict(self.row)[name]


def _by_stamps(lines: Sequence[bytes]) -> Iterator[tuple[float, bytes]]:
    """Seconds since the first stamp; between two stamps the bars' own clocks go on."""
    stamps = [_stamp(line) for line in lines]
    began = next((stamp for stamp in stamps if stamp is not None), 0.0)
    upcoming = [*accumulate(reversed(stamps), _later)][::-1]
    second = bar_began = spent = 0.0
    for line, stamp, later in zip(lines, stamps, upcoming, strict=True):
        if stamp is not None:
            second = bar_began = max(second, stamp - began)
        elif bars := _SPENT.findall(line):
            hours, minutes, seconds = (int(part or 0) for part in bars[-1])
            before, spent = spent, 3600.0 * hours + 60 * minutes + seconds
            bar_began = second if spent < before else bar_began
            told = bar_began + spent
            second = max(second, told if later is None else min(told, later - began))
        yield second, line


def _later(known: float | None, stamp: float | None) -> float | None:
    return known if stamp is None else stamp


def _stamp(line: bytes) -> float | None:
    found = _CLOCK.search(line)
    return datetime.strptime(f"2024-{found[1].decode()}Z", "%Y-%m-%d %H:%M:%S%z").timestamp() if found else None


def _index(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.tsv").open(newline="") as index:
        return list(csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE))


def _logs(folder: Path) -> list[Log]:
    if not folder.is_dir():
        return []
    return [Log(folder / row["file"], row.get("cause") or "", tuple(row.items())) for row in _index(folder)]


csv.field_size_limit(1 << 24)
CPU_LOGS = _logs(CPU)
CPU_FAILURES = [log for log in CPU_LOGS if log.field("kind") == "fail"]
CPU_SUCCESSES = [log for log in CPU_LOGS if log.field("kind") == "ok"]
GPU_FAILURES = _logs(GPU / "failures")
GPU_SUCCESSES = _logs(GPU / "successes")
FAILURES = CPU_FAILURES + GPU_FAILURES
SUCCESSES = CPU_SUCCESSES + GPU_SUCCESSES
EVERY_LOG = FAILURES + SUCCESSES


def harmless_lines() -> list[str]:
    """Lines that look fatal and are not."""
    path = GPU / "harmless.tsv"
    if not path.is_file():
        return []
    with path.open(newline="") as table:
        return [row["line"] for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)]
