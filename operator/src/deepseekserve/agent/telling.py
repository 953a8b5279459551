"""Where in a chunk of the log the next words stand that can move a phase or state a fact: one regular expression.

Second filter of `diagnosis.LogReader`, over the lines that `interest` has let through: those of a traceback, nearly
half of all, say nothing of a start. It may let too much through and never too little: tests hold it against each word
that `phases` and `enginefacts` look for.
"""

import re

from deepseekserve.agent.enginefacts import WORDS as OF_FACTS
from deepseekserve.agent.interest import any_of
from deepseekserve.agent.logtext import LINE_LIMIT
from deepseekserve.agent.phases import LATE, MARKS

# What can hide words from a look at raw bytes: colours, zeros, the escapes of JSON. And "%": a progress bar.
_HIDING = ("\x1b", "\x00", "{", "%")
# Characters of the recorded logs, the most frequent first; an expression is tried wherever its first one stands.
_COMMON = " erinot1alsp0:cd_.u2/^mg,h34y-5=7vI8O(6f)TFEk'P9][Nb\"RCASwxGDMLWHU"
_PIECE_CHARS = 6


def piece(words: str) -> str:
    """Return a few characters of `words`, from the one on that is rarest in a log."""
    begins = range(max(len(words) - _PIECE_CHARS, 0) + 1)
    at = max(begins, key=lambda at: _COMMON.find(words[at]) % 256)
    return words[at:at + _PIECE_CHARS]


_WORDS = (*(mark.words for mark in MARKS), *(words for words, _ in LATE), *OF_FACTS)
_TELLING = re.compile(any_of([piece(words).encode() for words in (*_WORDS, *_HIDING)]))


class Telling:
    """A chunk of whole lines, asked from its begin to its end."""

    def __init__(self, lines: bytes) -> None:
        self._lines = lines
        self._next = -1

    def next(self, at: int, *, serving: bool) -> int:
        """Return where the next telling words stand, at or after `at`; the chunk's end when there are none.

        To an engine that serves, no words tell anything.
        """
        if serving:
            return len(self._lines)
        if self._next < at:
            found = _TELLING.search(self._lines, at)
            self._next = found.start() if found else len(self._lines)
        return self._next

    def within(self, begin: int, end: int, *, serving: bool) -> bool:
        """Tell whether the line between may tell something; words of a giant line may meet where it is cut."""
        return not serving and (self.next(begin, serving=False) < end or end - begin > LINE_LIMIT)
