"""Wordings from vLLM's source, from libraries and from public reports, one a line in wordings.tsv; `-` is: no alarm."""

import io
from dataclasses import dataclass

import pytest

from deepseekserve.agent.diagnose import diagnose
from tests.logs.recorder import HERE


@dataclass(frozen=True)
class Wording:
    reason: str | None
    source: str
    text: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.source}"


def read() -> list[Wording]:
    rows = [line.split("\t") for line in (HERE / "wordings.tsv").read_text().splitlines()[1:]]
    return [
        Wording(None if reason == "-" else reason, source, text.replace("\\n", "\n")) for reason, source, text in rows
    ]


WORDINGS = read()


@pytest.mark.parametrize("wording", WORDINGS, ids=str)
def test_a_known_wording_has_its_reason(wording: Wording) -> None:
    assert diagnose(io.BytesIO(wording.text.encode()))["reason"] == wording.reason


@pytest.mark.parametrize("wording", WORDINGS, ids=str)
def test_a_known_wording_is_understood_in_the_block_of_a_worker_too(wording: Wording) -> None:
    prefix = "(Worker_TP3_EP3 pid=31) ERROR 11-21 21:44:46 [multiproc_executor.py:953] "
    bare = wording.reason is None or wording.text.startswith(("(", "ERROR", "[rank", "/entry", "usage", "!!!"))
    text = wording.text if bare else "".join(f"{prefix}{line}\r\n" for line in wording.text.splitlines())
    assert diagnose(io.BytesIO(text.encode()))["reason"] == wording.reason
