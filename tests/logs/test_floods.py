"""Whatever an engine writes, the parser stays small and keeps up."""

import os
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from deepseekserve.agent.diagnosis import ExitInfo, LogReader
from deepseekserve.agent.reasons import Reason

CHUNK = 1 << 16
SERVING = b"INFO:     Application startup complete.\n"


def one_endless_line() -> Iterator[bytes]:
    yield b"(EngineCore pid=1) INFO 11-21 21:44:46 [x.py:1] "
    yield from (b"x" * CHUNK for _ in range(1600))


def rubbish() -> Iterator[bytes]:
    yield from (os.urandom(CHUNK) for _ in range(60))


def bars_without_end() -> Iterator[bytes]:
    for count in range(3000):
        yield b"\rLoading safetensors checkpoint shards: %3d%% Completed | %d/3000 [00:02<00:05,  2.57s/it]" % (
            count // 30,
            count,
        )


def errors_without_end() -> Iterator[bytes]:
    for batch in range(6):
        yield b"".join(
            b"(Worker pid=%d) ERROR 11-21 21:44:46 [x.py:1] RuntimeError: error %d\n" % (n, batch * 500 + n)
            for n in range(500)
        )


def tracebacks_without_end() -> Iterator[bytes]:
    yield b"Traceback (most recent call last):\n"
    for _ in range(60):
        yield b'  File "/x.py", line 1, in x\n    call()\n' * 200


def half_open_tracebacks_of_many_processes() -> Iterator[bytes]:
    for pid in range(2000):
        yield b"(Worker pid=%d) ERROR 11-21 21:44:46 [x.py:1] Traceback (most recent call last):\n" % pid


FLOODS = [
    one_endless_line,
    rubbish,
    bars_without_end,
    errors_without_end,
    tracebacks_without_end,
    half_open_tracebacks_of_many_processes,
]


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("start", [b"", SERVING], ids=["starting", "serving"])
def test_memory_stays_bounded(flood: "type[Iterator[bytes]]", start: bytes) -> None:
    reader = LogReader()
    reader.feed(start, 0.0)
    tracemalloc.start()
    for chunk in flood():
        reader.feed(chunk, 1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 << 20


def test_a_failure_after_a_giant_line_is_still_found() -> None:
    reader = LogReader()
    for chunk in one_endless_line():
        reader.feed(chunk, 1.0)
    reader.feed(b"\nValueError: Cannot find the config file for awq\n", 1.0)
    failure = reader.failure(ExitInfo())
    assert failure is not None
    assert failure.reason is Reason.QUANTIZATION_MISSING_CONFIG


def test_the_root_cause_survives_three_thousand_later_errors() -> None:
    reader = LogReader()
    reader.feed(b"(Worker pid=1) ERROR 11-21 21:44:46 [x.py:1] OSError: [Errno 28] No space left on device\n", 1.0)
    for chunk in errors_without_end():
        reader.feed(chunk, 1.0)
    failure = reader.failure(ExitInfo())
    assert failure is not None
    assert failure.reason is Reason.DISK_FULL


def bar(n: int, tail: str = "") -> bytes:
    return f"\rLoading checkpoint shards: {n:3d}% Completed | {n}/100 [00:02<00:05,  2.57s/it]{tail}".encode()


def test_of_bars_drawn_over_each_other_the_last_one_counts() -> None:
    at_once, one_by_one = LogReader(), LogReader()
    bars = [bar(n) for n in range(90)]
    at_once.feed(b"".join(bars), 1.0)
    for one in bars:
        one_by_one.feed(one, 1.0)
    assert at_once.percent == one_by_one.percent > 50


def test_an_error_glued_to_a_bar_is_found_though_the_next_bar_is_drawn_over_it() -> None:
    reader = LogReader()
    reader.feed(bar(33, "ValueError: Cannot find the config file for awq") + bar(66) + bar(99) + b"\n", 1.0)
    failure = reader.failure(ExitInfo())
    assert failure is not None
    assert failure.reason is Reason.QUANTIZATION_MISSING_CONFIG


def test_a_line_is_cut_in_the_middle_and_its_ends_are_kept() -> None:
    reader = LogReader()
    reader.feed(
        b"ValueError: User-specified max_model_len (9) is greater than the derived max_model_len " + b"y" * 100_000, 1.0
    )
    reader.feed(b" (the end)\n", 1.0)
    failure = reader.failure(ExitInfo())
    assert failure is not None
    assert failure.reason is Reason.CONTEXT_TOO_LONG


def seconds_of_cpu(data: bytes, times: int, start: bytes) -> float:
    reader = LogReader()
    reader.feed(start, 0.0)
    begin = time.process_time()
    for _ in range(times):
        reader.feed(data, 1.0)
    return time.process_time() - begin


@pytest.mark.parametrize("start", [b"", SERVING], ids=["starting", "serving"])
def test_ordinary_lines_cost_little(start: bytes) -> None:
    lines = b"".join(
        b"(EngineCore pid=11068) INFO 11-21 21:05:05 [utils.py:%d] The layout of layer %d is what it was\n" % (n, n)
        for n in range(1000)
    )
    assert seconds_of_cpu(lines, 100, start) < 2.0  # 100,000 lines; 0.3 s on an idle machine


def test_a_giant_line_costs_next_to_nothing() -> None:
    assert seconds_of_cpu(b"x" * CHUNK, 1600, b"") < 1.0  # 100 MiB; 0.01 s on an idle machine
