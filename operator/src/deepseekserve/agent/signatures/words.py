"""Numbers as people and Kubernetes write them; used by the advice of all reasons."""

import math


def gib(value: float | None) -> str:
    """Amount of memory for a sentence, from GiB: `0.5 GiB`, `120 MiB`."""
    if value is None:
        return "some memory"
    if 0 < value < 0.1:
        return f"{value * 1024:.0f} MiB"
    return f"{round(value, 2):g} GiB"


def quantity(value_gib: float) -> str:
    """Kubernetes quantity of at least `value_gib`: whole Gi from 4 GiB on, else whole Mi."""
    if value_gib >= 4:
        return f"{math.ceil(value_gib)}Gi"
    return f"{math.ceil(value_gib * 1024)}Mi"


def multiple_of_16(tokens: float) -> int:
    """Largest number of whole KV cache blocks' tokens that is not above `tokens`."""
    return int(tokens) // 16 * 16
