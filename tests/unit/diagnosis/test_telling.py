"""What the parser leaves out for speed changes nothing: lines that tell nothing, and frames taken together."""

import itertools

import pytest

from deepseekserve.agent.diagnosis import ExitInfo, LogReader
from deepseekserve.agent.enginefacts import Facts
from deepseekserve.agent.evidence import Evidence, Finding
from deepseekserve.agent.logtext import records
from deepseekserve.agent.phases import LATE, MARKS, Phases
from deepseekserve.agent.signatures import statement
from deepseekserve.agent.telling import Telling, piece
from tests.logs import recorder

HEAD = "(EngineCore pid=1) ERROR 11-21 21:05:05 [core.py:12] "
NO_HEAD = ""
PARSER = '  File "/usr/lib/python3.12/json/decoder.py", line 1, in decode'


def tells(line: str) -> bool:
    whole = b"\n" + line.encode() + b"\n"
    return Telling(whole).within(1, len(whole) - 1, serving=False)


@pytest.mark.parametrize("words", [mark.words for mark in MARKS] + [words for words, _ in LATE])
def test_a_line_that_begins_a_phase_tells(words: str) -> None:
    assert tells(f"x {words} x")


def test_a_piece_is_of_its_words_and_begins_where_they_are_rarest() -> None:
    assert piece("checkpoint shards") == "kpoint"
    assert piece("█ ") in "█ "


@pytest.mark.parametrize("line", ["\x1b[0mx", "a\x00b", '{"message": "x"}', "  33%|", "x" * 9000])
def test_what_can_hide_words_tells(line: str) -> None:
    assert tells(line)


def test_an_engine_that_serves_tells_nothing() -> None:
    assert not Telling(b"\nKV cache size: 5 tokens\n").within(1, 24, serving=True)


@pytest.mark.parametrize("log", recorder.EVERY_LOG, ids=str)
def test_a_line_that_does_not_tell_changes_neither_phase_nor_facts(log: recorder.Log) -> None:
    for line in set(log.engine_bytes.replace(b"\r", b"\n").split(b"\n")):
        whole = b"\n" + line + b"\n"
        if Telling(whole).within(1, len(whole) - 1, serving=False):
            continue
        phases, facts = Phases(), Facts()
        for record in records(line):
            phases.see(record, 1.0)
            facts.see(record)
        assert (phases, facts) == (Phases(), Facts()), line


def one_by_one(lines: list[str]) -> tuple[Evidence, list[Finding | None]]:
    evidence = Evidence(statement)
    return evidence, [evidence.see(one, n) for n, line in enumerate(lines) for one in records(line.encode())]


def together(lines: list[str]) -> tuple[list[Finding | None], int]:
    """See the lines as the reader does: those taken together are counted."""
    evidence, found, passed, n = Evidence(statement), list[Finding | None](), 0, 0
    data = "".join(line + "\n" for line in lines).encode()
    at = 0
    while at < len(data):
        if evidence.in_traceback:
            count, at = evidence.pass_frames(data, at, len(data))
            passed, n = passed + count, n + count
            found += [None] * count
            if count:
                continue
        end = data.index(b"\n", at)
        found += [evidence.see(one, n) for one in records(data[at:end])]
        n, at = n + 1, end + 1
    return found, passed


def traceback(head: str, frames: int) -> list[str]:
    pairs = ((f'  File "/x/y{n}.py", line {n}, in f{n}', f"    f{n}()") for n in range(frames))
    inner = itertools.chain.from_iterable(pairs)
    return [head + line for line in ("Traceback (most recent call last):", *inner, "ValueError: no such thing")]


@pytest.mark.parametrize("head", [HEAD, NO_HEAD, "(Worker pid=3) ", "ERROR 11-21 21:05:05 [a/b.py:1] "])
def test_frames_taken_together_leave_the_same_finding(head: str) -> None:
    lines = traceback(head, 9)
    found, passed = together(lines)
    assert passed == 18
    assert found == one_by_one(lines)[1]
    assert found[-1] is not None
    assert found[-1].frames[-1] == "f8()"


def test_frames_of_a_parser_are_left_out_of_those_taken_together() -> None:
    lines = traceback(HEAD, 3)
    lines[5:5] = [HEAD + PARSER, HEAD + "    return decode()"]
    found, passed = together(lines)
    assert passed == 8
    assert found == one_by_one(lines)[1]
    assert "decode" not in str(found[-1])


def test_frames_of_another_logger_or_of_no_traceback_are_seen_one_by_one() -> None:
    lines = traceback(HEAD, 2)
    lines[3:3] = [line.replace("core.py", "other.py").replace("  File", "  Other") for line in lines[1:3]]
    assert together(lines)[0] == one_by_one(lines)[1]
    assert Evidence(statement).pass_frames(b"    a\n    b\n", 0, 12) == (0, 0)


def test_patience_with_a_traceback_ends_where_it_ends_line_by_line() -> None:
    lines = ["Traceback (most recent call last):", *["    call()"] * 4100]
    evidence, _ = one_by_one(lines)
    assert not evidence.busy
    assert together(lines)[1] < 4000


def test_a_frame_that_quotes_a_mark_is_seen_by_itself_and_changes_no_reason() -> None:
    lines = traceback(NO_HEAD, 4)
    lines[4:4] = ["    print('Application startup complete.')"]
    reader = LogReader()
    reader.feed("".join(line + "\n" for line in lines).encode(), 0.0)
    failure = reader.failure(ExitInfo())
    assert not reader.serving_announced
    assert failure is not None
    assert failure.lines[-1] == "ValueError: no such thing"
