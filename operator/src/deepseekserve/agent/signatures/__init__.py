"""All that is known about the wordings of failures: one table, searched from top to bottom, and one advice per reason.

To add a wording: one Signature in the module of its theme and one log in tests/logs. The order of the modules is the
order of the search: within one error's text the more particular theme comes first (a full disk inside a failed compilation
is a full disk). Which of several errors is the cause is decided by `diagnosis`, not here.
"""

import re
from functools import lru_cache

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures import arguments, ending, machine, memory, model, quantization
from deepseekserve.agent.signatures.entry import Advice, Adviser, Case, Fix, Signature, Weight

__all__ = ["ADVICE", "STATEMENT", "TABLE", "Advice", "Case", "Fix", "Signature", "Weight", "advise", "classify"]

_THEMES = (memory, quantization, arguments, model, machine, ending)

TABLE: tuple[Signature, ...] = tuple(signature for theme in _THEMES for signature in theme.SIGNATURES)

ADVICE: dict[Reason, Adviser] = {reason: adviser for theme in _THEMES for reason, adviser in theme.ADVICE.items()}

# What is fatal on a line of its own, whatever stands around it.
STATEMENT = re.compile("|".join(re.sub(r"\(\?P<\w+>", "(?:", s.pattern) for s in TABLE if s.statement))


@lru_cache(maxsize=512)
def classify(text: str, frames: str) -> tuple[Signature, dict[str, str]] | None:
    """Return the first signature that fits an error's text, with the values found; the text's line breaks do not matter."""
    flat = " ".join(text.split())
    best: tuple[Signature, dict[str, str]] | None = None
    for signature in TABLE:
        if best is not None and signature.weight <= best[0].weight:
            continue
        values = signature.match(flat, frames)
        if values is not None:
            best = (signature, values)
            if signature.weight is Weight.ROOT:
                break
    return best


def advise(case: Case) -> Advice:
    """Return message, remedy and fixes for a failure."""
    return ADVICE[case.reason](case)
