"""What the agent costs: its pass-through against a bare pipe, a paced log's delay, and the parser against a plain loop.

One producer and one reader, the same in both cases, alternate between `producer | reader` (the pipe that the engine
would have without us) and `producer | agent | reader` with the shipped zipapp. Time counts from the first byte read to
the last, so that no start of a program is in it. The hashing reader stands for whoever keeps a log (a container runtime
parses and writes every line, which is slower) and shows that both sides are the same bytes; the discarding one is the
worst case: nobody does anything with the log, and two memory copies compete with our third process for the cores.
"""

import contextlib
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepseekserve import bundle
from deepseekserve.agent.diagnose import diagnose
from deepseekserve.agent.diagnosis import LogReader
from deepseekserve.agent.limits import Limits
from tests.logs import recorder
from tests.logs.recorder import CPU, undo
from tests.ports import free_port

MIB = 1024 * 1024
WRITE_BYTES = 64 * 1024
ROUNDS = 5
RELAYS = ("bare", "cat", "agent")
PACED_LINES_PER_S = 100_000
PACED_S = 5
PARSED_BYTES = 16 * MIB
PYTHON = (sys.executable, "-I", "-S")
LOG = CPU / "ok-a-cold.log"
ANNOUNCED = b"Application startup complete."

# Repeats a file until `total` bytes are written, then waits: the agent can be looked at while it runs.
PRODUCER = """
import os, sys
data = open(sys.argv[1], "rb").read()
data, left = memoryview(data * (65536 // len(data) + 2)), int(sys.argv[2])
at, end = 0, len(data) - 65536
while left:
    count = os.write(1, data[at:at + min(65536, left)])
    left -= count
    at = at + count if at + count <= end else 0
sys.stdin.read()
"""
# One write per line, a hundred lines at the begin of every millisecond; the first of them carries the time.
PACED = """
import os, sys, time
lines = open(sys.argv[1], "rb").read().splitlines(keepends=True)
begin = time.monotonic()
for tick in range(int(sys.argv[2])):
    while (now := time.monotonic()) < begin + tick / 1000:
        time.sleep(0.0002)
    os.write(1, b"sent=%.6f\\n" % now)
    for number in range(99):
        os.write(1, lines[(tick * 99 + number) % len(lines)])
os.write(1, b"behind=%.6f\\n" % (time.monotonic() - begin - int(sys.argv[2]) / 1000))
sys.stdin.read()
"""
READER = """
import hashlib, json, os, sys, time
buffer = bytearray(1 << 20)
view, left, first, seen = memoryview(buffer), int(sys.argv[1]), None, hashlib.sha256()
while left:
    count = os.readv(0, [buffer])
    if not count:
        sys.exit("the output ended before all was read")
    first = first or time.monotonic()
    left -= count
    if sys.argv[2] == "hashing":
        seen.update(view[:count])
print(json.dumps({"seconds": time.monotonic() - first, "sha256": seen.hexdigest()}), flush=True)
"""
DELAYS = """
import json, os, re, sys, time
rest, delays = b"", []
while b"behind=" not in rest or b"\\n" not in rest.partition(b"behind=")[2]:
    rest = rest[rest.rfind(b"\\n") + 1:] + os.read(0, 1 << 20)
    now = time.monotonic()
    delays += [now - float(sent) for sent in re.findall(rb"^sent=([\\d.]+)$", rest, re.M)]
delays.sort()
print(json.dumps({"median": delays[len(delays) // 2], "p99": delays[len(delays) * 99 // 100], "longest": delays[-1],
                  "behind": float(rest.partition(b"behind=")[2])}), flush=True)
"""


@dataclass(frozen=True)
class Case:
    """What an engine writes: a block that is repeated, and how much of it in all."""

    name: str
    block: bytes
    size: int


def access_lines(count: int) -> bytes:
    """What vLLM writes for each request that it serves."""
    line = b'(APIServer pid=11047) INFO:     10.42.0.%d:%d - "POST /v1/chat/completions HTTP/1.1" 200 OK\n'
    return b"".join(line % (n % 250, 30000 + n % 20000) for n in range(count))


def cases() -> tuple[Case, ...]:
    """All that is measured; each once as fast as it goes."""
    log = b"".join(said for _, said in undo(LOG.read_bytes()))
    starting = b"".join(line for line in log.splitlines(keepends=True) if ANNOUNCED not in line)
    debug = b"".join(b"(EngineCore pid=11068) DEBUG 11-21 21:05:05 [utils.py:%d] layers.%d.mlp.experts: rank 0\n"
                     % (n, n) for n in range(10_000))
    bars = b"".join(b"\rLoading safetensors checkpoint shards: %3d%% Completed | %d/163 [00:02<00:05,  2.57s/it]"
                    % (n * 100 // 163, n) for n in range(163))
    return (
        Case("one line", b"x" * MIB, 1024 * MIB),
        Case("log while starting", starting + debug, 1024 * MIB),
        Case("log while serving", log + access_lines(10_000), 1024 * MIB),
        Case("progress bars", bars * 100, 1024 * MIB),
        Case("rubbish", random.Random(7).randbytes(4 * MIB), 1024 * MIB),
    )


@contextlib.contextmanager
def running(command: list[str], relay: str, folder: Path) -> Any:
    """A producer whose stdout can be read, bare or through a relay, and the port of the agent's pages."""
    port = free_port()
    around = {
        "bare": [], "cat": ["sh", "-c", '"$@" | cat', "sh"],
        "agent": [*PYTHON, str(folder / "agent.pyz"), "--model", "m", "--port", str(port), "--engine-port",
                  str(free_port()), "--termination-log", "/dev/null", "--"],
    }
    process = subprocess.Popen([*around[relay], *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    try:
        yield process, port
    finally:
        process.communicate()


def consume(process: "subprocess.Popen[bytes]", program: str, *arguments: str) -> dict[str, Any]:
    """Have the reader read what the producer writes, and return what it says of it."""
    command = [*PYTHON, "-c", program, *arguments]
    return dict(json.loads(subprocess.run(command, stdin=process.stdout, stdout=subprocess.PIPE, check=True).stdout))


def peak_kib(process: "subprocess.Popen[bytes]") -> int:
    """Peak of the resident memory of a process that still runs."""
    return int(Path(f"/proc/{process.pid}/status").read_text().partition("VmHWM:")[2].split()[0])


def cpu_s(process: "subprocess.Popen[bytes]") -> float:
    """CPU seconds that a process that still runs has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pass_once(case: Case, reader: str, relay: str, folder: Path) -> dict[str, Any]:
    """One round: seconds and hash, and what the process around the producer has used."""
    command = [*PYTHON, "-c", PRODUCER, str(folder / "block"), str(case.size)]
    with running(command, relay, folder) as (process, _):
        got = consume(process, READER, str(case.size), reader)
        return got | {"peak": peak_kib(process), "cpu": cpu_s(process)}


def throughput(case: Case, folder: Path, reader: str) -> dict[str, object]:
    """Alternate between the three; medians, and the median of the rounds' own ratios."""
    (folder / "block").write_bytes(case.block)
    rounds = [{relay: pass_once(case, reader, relay, folder) for relay in RELAYS} for _ in range(ROUNDS)]
    seconds = {relay: [r[relay]["seconds"] for r in rounds] for relay in RELAYS}
    median = {relay: statistics.median(values) for relay, values in seconds.items()}
    return {
        "bytes": case.size,
        "mbPerS": {relay: round(case.size / value / 1e6) for relay, value in median.items()},
        "ratio": round(median["bare"] / median["agent"], 3),
        "ratioOfRounds": round(statistics.median(r["bare"]["seconds"] / r["agent"]["seconds"] for r in rounds), 3),
        "ratioOfFastest": round(min(seconds["bare"]) / min(seconds["agent"]), 3),
        "catRatio": round(median["bare"] / median["cat"], 3),
        "rounds": {relay: [round(value, 3) for value in values] for relay, values in seconds.items()},
        "identical": len({one["sha256"] for r in rounds for one in r.values()}) == 1,
        "agentPeakKib": max(r["agent"]["peak"] for r in rounds),
        "agentCpuS": round(statistics.median(r["agent"]["cpu"] for r in rounds), 2),
    }


def paced(case: Case, folder: Path, relay: str) -> dict[str, object]:
    """Delay of single lines at a fixed pace, and whether the parser has missed any."""
    (folder / "block").write_bytes(case.block)
    command = [*PYTHON, "-c", PACED, str(folder / "block"), str(PACED_S * 1000)]
    with running(command, relay, folder) as (process, port):
        delay = {f"{name}Ms": round(1000 * value, 2) for name, value in consume(process, DELAYS).items()}
        if relay != "agent":
            return delay
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            pages = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
        return delay | {"agentCpuShare": round(cpu_s(process) / PACED_S, 3), "agentPeakKib": peak_kib(process),
                        "gaps": float(pages["deepseekserve_agent_log_gaps_total"])}


def parser_cost(data: bytes, begin: bytes) -> dict[str, object]:
    """CPU time of the parser per line, fed as the agent feeds it, against a loop that only splits the lines."""
    reader, step = LogReader(), Limits().feed_bytes
    reader.feed(begin, 0.0)
    data *= PARSED_BYTES // len(data) + 1
    pieces = [data[at:at + step] for at in range(0, len(data), step)]
    began = time.process_time()
    for piece in pieces:
        reader.feed(piece, 1.0)
    parsed = time.process_time()
    lines = sum(1 for piece in pieces for _ in piece.replace(b"\r", b"\n").splitlines())
    plain = time.process_time() - parsed
    cost = parsed - began
    return {"lines": lines, "linesPerS": round(lines / cost), "microsecondsPerLine": round(1e6 * cost / lines, 3),
            "plainMicrosecondsPerLine": round(1e6 * plain / lines, 3), "ratio": round(cost / plain, 1)}


def diagnosis_cost() -> dict[str, object]:
    """CPU time of whole diagnoses of the recorded logs, against a loop over their decoded lines.

    Nearly every line of a start says something, and each costs some calls of Python; the loop does nothing at all.
    """
    logs = [log.engine_bytes for log in recorder.EVERY_LOG]
    diagnosed = fastest(lambda: [diagnose(io.BytesIO(log)) for log in logs])
    plain = fastest(lambda: [[0 for _ in io.TextIOWrapper(io.BytesIO(log), errors="replace")] for log in logs])
    lines = sum(log.count(b"\n") for log in logs)
    return {"lines": lines, "linesPerS": round(lines / diagnosed),
            "microsecondsPerLine": round(1e6 * diagnosed / lines, 3),
            "plainMicrosecondsPerLine": round(1e6 * plain / lines, 3), "ratio": round(diagnosed / plain, 1)}


def fastest(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest of some rounds."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def run(progress: Callable[[str], None]) -> dict[str, object]:
    """Measure everything; about four minutes."""
    everything = cases()
    result: dict[str, dict[str, object]] = {"hashing": {}, "discarding": {}, "paced": {}, "parser": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "agent.pyz").write_bytes(bundle.build().data)
        for reader in ("hashing", "discarding"):
            for case in everything:
                result[reader][case.name] = _told(progress, f"{case.name}, {reader}", throughput(case, folder, reader))
        for case in everything[1:3]:
            result["paced"][case.name] = {
                relay: _told(progress, f"{case.name}, paced, {relay}", paced(case, folder, relay)) for relay in RELAYS}
    for case in everything[1:]:
        begin = b"INFO:     " + ANNOUNCED + b"\n" if "serving" in case.name else b""
        result["parser"][case.name] = _told(progress, f"{case.name}, parser", parser_cost(case.block, begin))
    result["parser"]["recorded logs, diagnosed"] = _told(progress, "recorded logs, diagnosed", diagnosis_cost())
    return {"cores": os.cpu_count(), "loadAverage": round(os.getloadavg()[0], 2), "rounds": ROUNDS,
            "pacedLinesPerS": PACED_LINES_PER_S, **result}


def _told(progress: Callable[[str], None], what: str, figures: Mapping[str, object]) -> Mapping[str, object]:
    shown = {key: value for key, value in figures.items() if key != "rounds"}
    progress(f"{what}: {json.dumps(shown)}")
    return figures


if __name__ == "__main__":
    print(json.dumps(run(lambda text: print(text, file=sys.stderr)), indent=1))
