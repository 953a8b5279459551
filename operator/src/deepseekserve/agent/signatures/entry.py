"""The shape of the knowledge: one Signature per wording of an error, one piece of advice per reason.

`TABLE` and `ADVICE` in this package's `__init__` are made of these; `diagnosis` asks them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

from deepseekserve.agent.enginefacts import Facts
from deepseekserve.agent.fixes import Fix
from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.agent.signatures.needed import needed


class Weight(IntEnum):
    """How much an error explains; among equals the earliest wins."""

    ECHO = 0        # happens to others when one process has died, or while stopping: explains nothing
    WRAPPER = 1     # says that something died and that the cause stands elsewhere
    VAGUE = 2       # says little (killed, refused); an error that nobody knows explains as much
    LIKELY = 3      # explains the failure if nothing better does
    ROOT = 4        # explains the failure


@dataclass(frozen=True)
class Advice:
    """What a reader is told: one sentence, the next step, and the step in a form that tools can apply."""

    message: str
    remedy: str
    fixes: tuple[Fix, ...] = ()


@dataclass(frozen=True)
class Case:
    """One failure to give advice on: the numbers and names in its text, and what the engine had said before."""

    reason: Reason
    values: Mapping[str, str]
    facts: Facts
    phase: Phase
    text: str = ""

    def number(self, name: str) -> float | None:
        """Value `name` as a number; None where the text has none."""
        try:
            return float(self.values.get(name, "").replace(",", "").rstrip("."))
        except ValueError:
            return None

    def word(self, name: str, default: str = "") -> str:
        """Value `name` as text."""
        return self.values.get(name) or default

    def first(self, *names: str) -> str:
        """First of the values `names` that the text has, as text."""
        return next((value for name in names if (value := self.values.get(name))), "")


@dataclass(frozen=True)
class Signature:
    """One wording: `pattern` is searched in the error's text (its whitespace made single blanks)."""

    reason: Reason
    pattern: str                    # named groups are the numbers and names that advice uses
    seen: str                       # where: a file of tests/logs, a public issue, or a place in the source
    weight: Weight = Weight.ROOT
    frames: str = ""                # what must also stand in the innermost lines of the traceback
    statement: bool = False         # fatal on a line of its own, without an exception's name or a traceback
    also: str = ""                  # searched for further values when the pattern has matched
    serving: bool = field(default=False)   # ends an engine that was serving, whoever wrote it

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    @cached_property
    def _needed(self) -> tuple[str, ...]:
        return needed(self.pattern)

    def match(self, text: str, frames: str) -> dict[str, str] | None:
        """Values found when this wording is in `text`, else None."""
        if self._needed and not any(words in text for words in self._needed):
            return None
        found = self._pattern.search(text)
        if found is None or (self.frames and not re.search(self.frames, frames)):
            return None
        values = {key: value for key, value in found.groupdict().items() if value}
        if self.also and (more := re.search(self.also, text)):
            values |= {key: value for key, value in more.groupdict().items() if value}
        return values


Adviser = Callable[[Case], Advice]
