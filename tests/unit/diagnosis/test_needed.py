"""Before an expression is searched, plain words say that it can find nothing; they must never be wrong."""

import re

import pytest

from deepseekserve.agent.signatures import TABLE, Signature
from deepseekserve.agent.signatures.needed import needed
from tests.logs import recorder
from tests.logs.test_wordings import WORDINGS

ERROR = re.compile(rb"(?m)^.*(?:[Ee]rror|Exception|[Ff]ailed|not ).*$")
TEXTS = sorted({line.decode("utf-8", "replace").strip()[:600]
                for log in recorder.FAILURES for line in ERROR.findall(log.engine_bytes)[-8:]}
               | {" ".join(line.split()) for wording in WORDINGS for line in wording.text.splitlines()}
               | {" ".join(wording.text.split()) for wording in WORDINGS})


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"out of memory|No space left", ("out of memory", "No space left")),
        (r"Cannot (?:find|open) (?P<path>\S+) for reading", (" for reading",)),
        (r"seq lens? \d+ is too long", (" is too long",)),
        (r"ab{2}longer words\.?", ("longer words",)),
        (r"file\.txt [^]a] here\?$", ("file.txt ",)),
        (r"it is a\{b and more", ("it is a{b and more",)),
        (r"it is a {b and more", ("b and more",)),
        (r"[abc]\]word", ("]word",)),
        (r"longer words+ x", ("longer word",)),
        (r"(?!not this)but this", ("but this",)),
        (r"long enough|abc", ()),
        (r"long enough|", ()),
        (r"(?i)long enough", ()),
        (r"\x41bcdef", ()),
        (r"(a)\1bcdef", ()),
        (r"(?:all|in|groups)", ()),
    ],
)
def test_the_words_are_the_longest_plain_text_of_each_alternative(pattern: str, words: tuple[str, ...]) -> None:
    assert needed(pattern) == words


@pytest.mark.parametrize("signature", TABLE, ids=lambda one: one.reason.value)
def test_whatever_a_signature_finds_has_its_words(signature: Signature) -> None:
    words, expression = needed(signature.pattern), re.compile(signature.pattern)
    assert [text for text in TEXTS if words and expression.search(text) and not any(w in text for w in words)] == []


def test_most_signatures_need_words() -> None:
    assert sum(1 for signature in TABLE if needed(signature.pattern)) > len(TABLE) / 2
