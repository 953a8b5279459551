"""Numbers and names as people, logs and Kubernetes write them; used by the signatures and advice of all reasons."""

import math
import re

_SECRET = re.compile(
    r"(?i)((?:api[-_]?key|token|password|secret)['\"]?(?:\s*[=:]\s*|\s+(?=sk-|hf_))['\"]?|--api-key[= ]"
    r"|Bearer\s+)[^\s'\",)\]]+"
    r"|\b(?:hf_|sk-)[A-Za-z0-9_-]{12,}")

_SECRET_WORDS = ("key", "token", "password", "secret", "bearer", "hf_", "sk-")      # one is in whatever _SECRET finds

# How the clients of an engine on the same machine name it, as a regular expression.
OWN_HOST = r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0)'"


def gib(value: float | None) -> str:
    """Amount of memory for a sentence, from GiB: `0.5 GiB`, `120 MiB`."""
    if value is None:
        return "some memory"
    if 0 < value < 0.1:
        return f"{value * 1024:.0f} MiB"
    return f"{round(value, 2):g} GiB"


def quantity(value_gib: float) -> str:
    """Kubernetes quantity of at least `value_gib`: whole Gi where it is one or from 4 GiB on, else whole Mi."""
    if value_gib >= 4 or value_gib in (1, 2, 3):
        return f"{math.ceil(value_gib)}Gi"
    return f"{math.ceil(value_gib * 1024)}Mi"


def multiple_of_16(tokens: float) -> int:
    """Largest number of whole KV cache blocks' tokens that is not above `tokens`."""
    return int(tokens) // 16 * 16


def redact(text: str) -> str:
    """Keep secrets out of messages and excerpts: keys, tokens and passwords become `***`."""
    folded = text.casefold()            # the search itself is dear
    if not any(word in folded for word in _SECRET_WORDS):
        return text
    return _SECRET.sub(lambda found: (found[1] or "") + "***", text)


def shorten(text: str, limit: int = 240) -> str:
    """Cut a complaint of the engine to what fits into a message, at a word's end."""
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0] + " ..."
