"""Turns Kubernetes quantities ("4Gi", "500m", "1e3") into exact numbers, to be computed with and compared.

Pure; the grammar is that of apimachinery's resource.Quantity.
"""

import re
from fractions import Fraction

_GRAMMAR = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,3}))?")
_SCALE = {
    "": Fraction(1), "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", start=1)},
}


def parse_quantity(text: str) -> Fraction:
    """Read a quantity exactly; raises ValueError with the text when it is none."""
    match = _GRAMMAR.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a quantity such as 4Gi, 500m or 1000000")
    number, suffix, exponent = match.groups(default="")
    return Fraction(f"{number}e{exponent or 0}") * _SCALE[suffix]
