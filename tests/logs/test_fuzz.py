"""Whatever bytes come: no exception, no alarm on a success however it was mangled, no reason out of a user's text."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepseekserve.agent.diagnosis import ExitInfo, LogReader
from tests.logs import recorder
from tests.logs.test_wordings import WORDINGS

SERVING = b"INFO:     Application startup complete.\n"
RECORD = "(APIServer pid=7) INFO 11-21 21:44:46 [logger.py:39] Received request cmpl-1: prompt: "
FATAL_LINES = [line for wording in WORDINGS if wording.reason for line in wording.text.splitlines()]
ALL_BYTES = [log.engine_bytes for log in recorder.CPU_LOGS]

QUICK = settings(derandomize=True, deadline=None, max_examples=300, database=None)
Mangle = Callable[[list[bytes], st.DataObject], list[bytes]]


def failure_of(data: bytes, cuts: list[int] | None = None) -> object:
    """What a whole log says of the engine that wrote it and still runs."""
    reader, at = LogReader(), 0
    for cut in sorted({*(cuts or []), len(data)}):
        reader.feed(data[at:cut], 1.0)
        at = max(at, cut)
    return reader.failure(None)


def dropped(lines: list[bytes], data: st.DataObject) -> list[bytes]:
    gone = data.draw(st.sets(st.integers(0, len(lines) - 1), max_size=40))
    return [line for number, line in enumerate(lines) if number not in gone]


def repeated(lines: list[bytes], data: st.DataObject) -> list[bytes]:
    at = data.draw(st.integers(0, len(lines) - 1))
    return [*lines[: at + 1], *([lines[at]] * data.draw(st.integers(1, 64))), *lines[at + 1 :]]


def swapped(lines: list[bytes], data: st.DataObject) -> list[bytes]:
    order = list(lines)
    for at in data.draw(st.lists(st.integers(0, len(lines) - 2), max_size=40)):
        order[at], order[at + 1] = order[at + 1], order[at]
    return order


def cut_off(lines: list[bytes], data: st.DataObject) -> list[bytes]:
    return [*lines[: data.draw(st.integers(0, len(lines) - 1))], lines[-1][: data.draw(st.integers(0, 200))]]


def joined(lines: list[bytes], data: st.DataObject) -> list[bytes]:
    """Lines that lose their ends, as when several processes write at once."""
    short = data.draw(st.sets(st.integers(0, len(lines) - 1), max_size=20))
    return [line.rstrip(b"\r\n") if number in short else line for number, line in enumerate(lines)]


@pytest.mark.parametrize("mangle", [dropped, repeated, swapped, cut_off, joined])
@given(data=st.data())
@settings(QUICK, max_examples=60)
def test_a_success_that_was_mangled_raises_no_alarm(mangle: Mangle, data: st.DataObject) -> None:
    log = data.draw(st.sampled_from(recorder.SUCCESSES))
    lines = mangle(log.engine_bytes.splitlines(keepends=True), data)
    assert failure_of(b"".join(lines)) is None


@given(noise=st.lists(st.binary(max_size=400), max_size=12), cuts=st.lists(st.integers(0, 4000), max_size=6))
@QUICK
def test_rubbish_raises_nothing(noise: list[bytes], cuts: list[int]) -> None:
    whole = b"\n".join(noise)
    assert failure_of(whole, [cut for cut in cuts if cut < len(whole)]) is None


@given(data=st.data())
@QUICK
def test_a_log_with_changed_bytes_is_read_without_an_exception(data: st.DataObject) -> None:
    changed = bytearray(data.draw(st.sampled_from(ALL_BYTES))[:30_000])
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(changed) - 1), st.integers(0, 255)), max_size=60)):
        changed[at] = byte
    reader = LogReader()
    reader.feed(bytes(changed), 1.0)
    reader.failure(None)
    reader.failure(ExitInfo(code=data.draw(st.integers(0, 255))))


PROMPT = st.lists(st.one_of(st.sampled_from(FATAL_LINES), st.text(max_size=80)), min_size=1, max_size=8)


@given(said=PROMPT)
@QUICK
def test_no_reason_comes_out_of_a_users_text(said: list[str]) -> None:
    literal = f"{RECORD}{chr(10).join(said)!r}, params: SamplingParams(n=1)\n"
    lines = "".join(f"{RECORD}{line}\r\n" for text in said for line in text.splitlines())
    for logged in (literal, lines):
        reader = LogReader()
        reader.feed(SERVING + logged.encode("utf-8", "surrogatepass"), 1.0)
        assert reader.failure(None) is None
        assert reader.failure(ExitInfo()) is None
