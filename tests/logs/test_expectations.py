"""The expected time: the table of docs/starts.md is today's, and an earlier start makes the expectation better."""

import statistics

import pytest

from tests.logs import expectations, recorder
from tests.logs.expectations import SHARES, Start

CPU = expectations.starts(recorder.CPU_SUCCESSES)


def test_the_table_is_up_to_date() -> None:
    page = expectations.PAGE.read_text(encoding="utf-8")
    assert page == expectations.written(page), "make handbook"


@pytest.mark.parametrize("share", SHARES)
def test_after_an_earlier_start_the_time_is_expected_to_a_tenth_in_most_cases(share: float) -> None:
    errors = [start.error(share, took) for start, took in expectations.pairs(CPU)]
    assert len(errors) > 100
    assert statistics.median(error for error in errors if error is not None) < 0.1
    assert None not in errors


@pytest.mark.parametrize("start", CPU, ids=lambda start: str(start.log))
def test_a_start_that_goes_like_the_earlier_one_ends_when_expected(start: Start) -> None:
    for share in SHARES:
        error = start.error(share, start.took)
        assert error is not None
        assert error < 0.1


@pytest.mark.parametrize(("share", "bound"), [(0.5, 0.3), (0.75, 0.15)])
def test_the_end_of_a_first_start_is_expected_from_its_log_alone(share: float, bound: float) -> None:
    errors = [start.error(share, None) for start in CPU]
    assert None not in errors
    assert statistics.median(error for error in errors if error is not None) < bound
