"""Turns Kubernetes quantities ("4Gi", "500m", "1e3") into exact numbers, to be computed with and compared.

Pure; the grammar is that of apimachinery's resource.Quantity.
"""

import re
from fractions import Fraction

_GRAMMAR = re.compile(r"([+-]?)([0-9]+\.?[0-9]*|\.[0-9]+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,3}))?")
_SUFFIX = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "k": 10**3, "M": 10**6, "G": 10**9,
    "T": 10**12, "P": 10**15, "E": 10**18, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}


def parse_quantity(text: str) -> Fraction:
    """Read a quantity exactly; raises ValueError with the text when it is none."""
    match = _GRAMMAR.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a quantity such as 4Gi, 500m or 1000000")
    sign, number, suffix, exponent = match.groups()
    scale = Fraction(10) ** int(exponent) if exponent else Fraction(_SUFFIX[suffix] if suffix else 1)
    return Fraction(number) * scale * (-1 if sign == "-" else 1)
