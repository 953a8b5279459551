"""The filter over raw bytes lets nothing through the net that the later stages would use."""

import pytest

from deepseekserve.agent.diagnosis import LogReader
from deepseekserve.agent.enginefacts import Facts
from deepseekserve.agent.interest import any_of, next_line
from deepseekserve.agent.logtext import QUIET, records
from deepseekserve.agent.phases import LATE, MARKS, Phases
from deepseekserve.agent.reasons import Phase
from tests.logs import recorder

HEAD = "(EngineCore pid=1) INFO 11-21 21:05:05 [x.py:1] "
# What stands before the words of a mark in the engine's own text.
BEFORE = {
    "checkpoint shards": "Loading safetensors ",
    "in world size": "rank 0 ",
    "for vLLM's torch.compile": "Using cache directory: /c ",
    "for KV cache on node": "Explicitly set (1/2) GiB ",
    "saved AOT compiled function": "[backbone] ",
}


def is_seen(line: str) -> bool:
    return next_line(b"\n" + line.encode() + b"\n", 1, serving=False) == 1


@pytest.mark.parametrize("words", [mark.words for mark in MARKS] + [words for words, _ in LATE])
def test_a_line_that_begins_a_phase_is_seen(words: str) -> None:
    assert is_seen(HEAD + BEFORE.get(words, "") + words + " 1")


@pytest.mark.parametrize("log", recorder.EVERY_LOG, ids=str)
def test_every_line_with_a_mark_is_seen(log: recorder.Log) -> None:
    for line in log.engine_bytes.replace(b"\r", b"\n").split(b"\n"):
        for record in records(line):
            if record.level in QUIET and any(mark.words in record.text for mark in MARKS):
                assert next_line(b"\n" + line + b"\n", 1, serving=False) == 1, line


@pytest.mark.parametrize("log", recorder.SUCCESSES, ids=str)
def test_the_facts_are_those_that_all_lines_together_state(log: recorder.Log) -> None:
    reader, facts, phases = LogReader(), Facts(), Phases()
    for line in log.engine_bytes.replace(b"\r", b"\n").split(b"\n"):
        for record in records(line):
            if phases.phase is not Phase.SERVING:
                phases.see(record, 0.0)
                facts.see(record)
    reader.feed(log.engine_bytes, 0.0)
    assert reader.facts == facts.report()


def test_an_expression_for_words_shares_their_beginnings() -> None:
    assert any_of([b"Error", b"Exit"]) == b"E(?:rror|xit)" or any_of([b"Error", b"Exit"]).startswith(b"E(?:")
    assert any_of([b"AB", b"A"]) == b"A"


def test_words_in_the_lost_middle_of_a_giant_line_do_not_count() -> None:
    line = b"x" * 50_000 + b" Traceback " + b"y" * 50_000
    assert next_line(b"\n" + line + b"\nERROR\n", 1, serving=False) == len(line) + 2


def test_nothing_of_interest_is_nowhere() -> None:
    assert next_line(b"\nplain words\n", 1, serving=True) is None
