"""However the bytes are cut, coloured, prefixed, wrapped or interleaved, the diagnosis is the same."""

import io
import json
import random
import re
import textwrap
from collections.abc import Callable

import pytest

from deepseekserve.agent.diagnose import diagnose
from deepseekserve.agent.diagnosis import ExitInfo, LogReader
from tests.logs import recorder
from tests.logs.recorder import Log

JUDGED = [log for log in recorder.EVERY_LOG if log.cause != "Other"]
RECORD = re.compile(
    r"(?:\((?P<process>[\w.-]+) pid=(?P<pid>\d+)\) )?(?P<level>INFO|ERROR|WARNING|DEBUG) \d\d-\d\d \d\d:\d\d:\d\d "
    r"(?:\[(?P<source>[^\]]+)\]|(?P<old>[\w.]+:\d+)\]) ?(?P<text>.*)$"
)


def summary(reader: LogReader) -> tuple[object, ...]:
    return reader.phase, reader.percent, reader.facts, reader.serving_announced, reader.failure(ExitInfo())


def read(parts: list[bytes]) -> tuple[LogReader, list[int]]:
    reader, percents = LogReader(), []
    for part in parts:
        reader.feed(part, 0.0)
        percents.append(reader.percent)
    return reader, percents


def cut(data: bytes, seed: int, longest: int) -> list[bytes]:
    dice, parts, at = random.Random(seed), [], 0
    while at < len(data):
        size = dice.randint(1, longest)
        parts.append(data[at : at + size])
        at += size
    return parts


@pytest.mark.parametrize("log", recorder.EVERY_LOG, ids=str)
def test_random_cuts_change_nothing(log: Log) -> None:
    data = log.engine_bytes
    expected = summary(read([data])[0])
    for seed, longest in enumerate((40, 700, 9000)):
        reader, percents = read(cut(data, seed, longest))
        assert summary(reader) == expected
        assert percents == sorted(percents)


@pytest.mark.parametrize(
    "log", recorder.CPU_FAILURES[:6] + recorder.CPU_SUCCESSES[:2] + recorder.GPU_SUCCESSES[-3:-2], ids=str
)
def test_single_bytes_change_nothing(log: Log) -> None:
    data = log.engine_bytes[:60_000]
    reader, percents = read([data[at : at + 1] for at in range(len(data))])
    assert summary(reader) == summary(read([data])[0])
    assert percents == sorted(percents)


def each_line(change: Callable[[str], str]) -> Callable[[str], str]:
    def mutate(text: str) -> str:
        parts = re.split(r"(\r\n|\r|\n)", text)
        return "".join(change(part) if index % 2 == 0 and part else part for index, part in enumerate(parts))

    return mutate


def colour(line: str) -> str:
    return re.sub(
        r"^(\([^)]*\)) (INFO|ERROR|WARNING) (\S+ \S+) (\[[^\]]*\])",
        "\x1b[0;36m\\1\x1b[0;0m \x1b[32m\\2\x1b[0m \x1b[90m\\3\x1b[0m \x1b[90m\\4\x1b[0m",
        line,
    )


def number(text: str) -> str:
    parts = re.split(r"(\r\n|\r|\n)", text)
    return "".join(f"{index // 2 + 1}:{part}" if index % 2 == 0 else part for index, part in enumerate(parts))


def wrap(line: str) -> str:
    return line if len(line) <= 100 or "%|" in line else "\n  ".join(textwrap.wrap(line, 100, break_long_words=False))


def json_records(text: str) -> str:
    """Write vLLM's own records as its JSON formatter does: a whole message, with all its lines, in one record."""
    groups: list[tuple[tuple[str | None, ...] | None, list[str]]] = []
    for line in re.split(r"\r\n|\n", text):
        found = RECORD.match(line)
        key = found.group("process", "pid", "level", "source", "old") if found else None
        said = found["text"] if found else line
        if key and groups and groups[-1][0] == key and found and found["level"] == "ERROR":
            groups[-1][1].append(said)
        else:
            groups.append((key, [said]))
    return "\n".join(said[0] if key is None else as_json(key, said) for key, said in groups)


def as_json(key: tuple[str | None, ...], said: list[str]) -> str:
    process, pid, level, source, old = key
    return json.dumps(
        {
            "asctime": "2026-11-24 10:00:00,000",
            "levelname": level,
            "name": f"vllm.{str(source or old).split('.')[0]}",
            "processName": process or "MainProcess",
            "process": int(pid or 1),
            "message": "\n".join(said),
        }
    )


MUTATIONS: dict[str, Callable[[str], str]] = {
    "colours": each_line(colour),
    "grep -n": number,
    "docker compose": each_line(lambda line: f"vllm-1  | {line}"),
    "kubelet": each_line(lambda line: f"2026-11-24T14:00:00.123456789Z stderr F {line}"),
    "kubectl --prefix": each_line(lambda line: f"[pod/qwen-7f9-abc/engine] {line}"),
    "CRLF": lambda text: re.sub(r"\r?\n", "\r\n", text),
    "Ray": lambda text: re.sub(
        r"(?m)^\((\w+) pid=(\d+)\)", r"(RayWorkerWrapper pid=\2, ip=10.1.2.3) (\1 pid=\2)", text
    ),
    "JSON": json_records,
    "other numbers": lambda text: re.sub(r"(?<=pid=)\d+", "77", re.sub(r":\d{2,4}\]", ":4711]", text)),
    "other paths": lambda text: text.replace(
        "/usr/local/lib/python3.11/dist-packages", "/opt/venv/lib/python3.13/site-packages"
    ),
}
# Logs whose prefix is so long, or whose decisive words are so few, that a page wrapped at 100 columns hides them.
LOST_IN_WRAPPING = {"043", "047", "061"}


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_other_programs_do_to_a_log_changes_no_reason(name: str) -> None:
    wrong = {}
    for log in JUDGED:
        if name == "grep -n" and log.path.stem == "010":
            continue  # carries such numbers already
        text = MUTATIONS[name](log.engine_bytes.decode("utf-8", "replace"))
        reason = diagnose(io.BytesIO(text.encode()))["reason"]
        if reason != (log.cause or None) and not (log.cause == "Unknown" and reason is None):
            wrong[str(log)] = reason
    assert wrong == {}


def test_a_page_that_wraps_lines_changes_few_reasons_and_raises_no_alarm() -> None:
    for log in JUDGED:
        if str(log) in LOST_IN_WRAPPING:
            continue
        text = each_line(wrap)(log.engine_bytes.decode("utf-8", "replace"))
        reason = diagnose(io.BytesIO(text.encode()))["reason"]
        assert reason == (log.cause or None) or (log.cause == "Unknown" and reason is None), log


def test_sixty_four_ranks_that_say_the_same_are_one_failure() -> None:
    lines = [
        "WorkerProc hit an exception.",
        "Traceback (most recent call last):",
        '  File "/x/w.py", line 1, in load',
        "    load()",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
    ]
    written = [
        [
            f"(Worker_TP{rank} pid={100 + rank}) ERROR 11-21 21:44:46 [multiproc_executor.py:1063] {line}\r\n"
            for line in lines
        ]
        for rank in range(64)
    ]
    dice, out = random.Random(3), []
    while any(written):
        rank = dice.choice([lines for lines in written if lines])
        out.append(rank.pop(0))
    out += [
        "(EngineCore pid=9) ERROR 11-21 21:44:49 [core.py:1510] RuntimeError: Worker failed with error 'CUDA out of "
        "memory. Tried to allocate 2.00 GiB.', please check the stack trace above for the root cause\r\n",
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n",
    ]
    result = diagnose(io.BytesIO("".join(out).encode()))
    assert result["reason"] == "CudaOutOfMemory"
    assert len(result["lines"]) <= 12  # type: ignore[arg-type]


def test_the_process_that_failed_first_wins() -> None:
    first = b"(Worker_TP1 pid=2) ERROR 11-21 21:44:46 [x.py:953] OSError: [Errno 28] No space left on device\r\n"
    later = b"(Worker_TP0 pid=1) ERROR 11-21 21:44:47 [x.py:953] RuntimeError: No CUDA GPUs are available\r\n"
    assert diagnose(io.BytesIO(first + later))["reason"] == "DiskFull"
    assert diagnose(io.BytesIO(later + first))["reason"] == "NoCudaDevice"


def test_a_signature_broken_over_lines_keeps_its_numbers() -> None:
    said = (
        b"(EngineCore pid=81) ValueError: To serve at least one request with the models's max seq len\n"
        b"  (16384), (3.0 GiB KV cache is needed, which is larger than the available KV cache memory\n"
        b"  (0.18 GiB). Based on the available memory, the estimated maximum model length is 976.\n"
    )
    result = diagnose(io.BytesIO(said))
    assert result["fixes"] == [
        {"field": "spec.engine.maxModelLen", "value": "976", "why": "the KV cache holds 976 tokens"}
    ]


def test_a_signature_broken_within_a_word_is_found() -> None:
    said = (
        b"ValueError: Quantization method specified in the model config (awq) does not match the quanti\nzation "
        b"method specified in the `quantization` argument (gptq).\n"
    )
    assert diagnose(io.BytesIO(said))["reason"] == "QuantizationMismatch"


def test_an_error_glued_to_an_unfinished_bar_is_found() -> None:
    said = (
        b"Loading safetensors checkpoint shards:  33% Completed | 1/3 [00:02<00:05,  2.57s/it](EngineCore pid=2) "
        b"ERROR 11-21 "
        b"21:44:46 [core.py:1] MemoryError\n"
    )
    result = diagnose(io.BytesIO(said))
    assert (result["reason"], result["phase"]) == ("HostOutOfMemory", "LoadingWeights")
