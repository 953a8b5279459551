"""All that is known about the wordings of failures: one table, searched from top to bottom, and one advice per reason.

To add a wording: one Signature in the module of its theme, and one log in tests/logs. The order of the themes is the
order of the search: within one error's text the more particular comes first (a full disk inside a failed compilation
is a full disk). Which of several errors is the cause is decided by `causes`, not here.
"""

import re
from functools import cache, lru_cache

from deepseekserve.agent.fixes import Fix
from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures import (
    arguments,
    arguments_advice,
    ending,
    machine,
    machine_advice,
    memory,
    memory_advice,
    model,
    model_advice,
    quantization,
    quantization_advice,
)
from deepseekserve.agent.signatures.entry import Advice, Adviser, Case, Signature, Weight

__all__ = ["ADVICE", "TABLE", "Advice", "Case", "Fix", "Signature", "Weight", "advise", "classify",
           "statement"]

TABLE: tuple[Signature, ...] = (
    *memory.SIGNATURES, *quantization.SIGNATURES, *arguments.SIGNATURES, *model.SIGNATURES, *machine.SIGNATURES,
    *ending.SIGNATURES, *arguments.REFUSALS,
)

ADVICE: dict[Reason, Adviser] = {
    **memory_advice.ADVICE, **quantization_advice.ADVICE, **arguments_advice.ADVICE, **model_advice.ADVICE,
    **machine_advice.ADVICE, **ending.ADVICE,
}

_TEXT_CHARS = 2500          # an error says at its beginning what it is about


@cache
def statement() -> re.Pattern[str]:
    """Return what is fatal on a line of its own, without an exception's name and whatever stands around it.

    The largest expression of all: it is made when a line that may be a statement comes, which most starts do not bring.
    """
    return re.compile("|".join(re.sub(r"\(\?P<\w+>", "(?:", s.pattern) for s in TABLE if s.statement))


@lru_cache(maxsize=512)
def classify(text: str, frames: str) -> tuple[Signature, dict[str, str]] | None:
    """Return the weightiest signature that fits an error's text, the first among equals, with the values found."""
    flat = " ".join(text.split())[:_TEXT_CHARS]
    best: tuple[Signature, dict[str, str]] | None = None
    for signature in TABLE:
        if best is None or signature.weight > best[0].weight:
            values = signature.match(flat, frames)
            if values is not None:
                best = (signature, values)
    return best


def advise(case: Case) -> Advice:
    """Return message, remedy and fixes for a failure."""
    return ADVICE[case.reason](case)
