"""Predictions against what engines reported on real machines; docs/sizing.md is the table of it."""

from statistics import median

import pytest

from deepseekserve import sizing
from deepseekserve.sizing import Room, working
from tests.logs import recorder
from tests.sizing import __main__ as table
from tests.sizing.fit import fit, judged, left_out
from tests.sizing.logs import GIB, Report, reports

TOKENS_PERCENT, WEIGHTS_PERCENT, USED_PERCENT = 1, 2, 5
LOGS = list(reports())
on_gpus = pytest.mark.skipif(not recorder.GPU_SUCCESSES, reason="no logs from GPU machines beside the checkout")


@pytest.mark.parametrize("report", LOGS, ids=lambda report: report.name)
def test_kv_tokens_follow_from_the_memory_that_the_engine_reports(report: Report) -> None:
    error = table.tokens_error(report)
    assert error is None or abs(error) < TOKENS_PERCENT


@pytest.mark.parametrize("report", LOGS, ids=lambda report: report.name)
def test_weights_of_a_rank_are_those_that_the_engine_reports(report: Report) -> None:
    error = table.weights_error(report)
    assert error is None or abs(error) < WEIGHTS_PERCENT


@on_gpus
def test_what_is_used_is_predicted_by_constants_that_did_not_see_the_log() -> None:
    logs = judged()
    errors = [abs(left_out(report, logs)) for report in logs]
    assert median(errors) < USED_PERCENT
    assert max(errors) < sizing.MARGIN_PERCENT


@on_gpus
def test_the_constant_that_is_fitted_is_the_one_that_the_logs_give() -> None:
    assert fit(judged()).other_mib * working.MIB == working.OTHER_BYTES


@pytest.mark.parametrize("report", [r for r in LOGS if r.total], ids=lambda report: report.name)
def test_a_start_that_succeeded_would_not_have_been_refused(report: Report) -> None:
    room = Room(int((report.total or 0) * GIB), report.percent)
    found = sizing.size(report.plan, room, report.context)
    assert found.needs <= found.budget + room.margin


@on_gpus
def test_the_page_has_the_tables_that_the_logs_give() -> None:
    assert table.PAGE.read_text() == table.page(), "run `make sizing`"
