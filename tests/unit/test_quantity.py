"""Quantities as the API server reads them."""

from fractions import Fraction

import pytest

from deepseekserve.quantity import parse_quantity


@pytest.mark.parametrize(("text", "value"), [
    ("0", 0), ("1", 1), ("4Gi", 4 * 2**30), ("1.5Gi", 3 * 2**29), ("64M", 64_000_000), ("128974848", 128974848),
    ("129e6", 129_000_000), ("129E6", 129_000_000), ("1e-3", Fraction(1, 1000)), ("500m", Fraction(1, 2)),
    (".5", Fraction(1, 2)), ("5.", 5), ("1k", 1000), ("1Ki", 1024), ("1E", 10**18), ("1Ei", 2**60),
    ("1n", Fraction(1, 10**9)), ("3u", Fraction(3, 10**6)), ("+1", 1), ("-1", -1), ("123400m", Fraction(1234, 10)),
    ("2T", 2 * 10**12), ("2Pi", 2 * 2**50),
])
def test_a_quantity_is_read_exactly(text: str, value: Fraction) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", [
    "", "Gi", "1GiB", "1 Gi", "1,5Gi", "1e", "e3", "0x10", "1K", "1.2.3", "٣", "1m3", "--1", "1e9999",
])
def test_what_is_no_quantity_is_an_error_that_shows_one(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity such as 4Gi, 500m or 1000000"):
        parse_quantity(text)
