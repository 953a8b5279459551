"""Turns what logs say was used into the constants of sizing.working, and into the error of one that was not looked at.

Three numbers are fitted, those with the least sum of errors: copies of the logits in engines whose sampler sorts them
(before 0.17), and what is not torch's, before and since the engine counts all that is missing from the GPU's free
memory (0.21). Of the logits of newer engines the product has what the sampler's code holds.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from deepseekserve import sizing
from deepseekserve.sizing import working
from tests.sizing.logs import GIB, Report, reports

COPIES = range(2, 13)
OTHER_MIB = range(0, 1500, 100)


class Constants(NamedTuple):
    """What is fitted."""

    sorting_copies: int
    other_mib_before: int
    other_mib: int


def judged() -> list[Report]:
    """The logs that say what was used."""
    return [report for report in reports() if report.used]


def error_percent(report: Report, constants: Constants) -> float:
    """Prediction less report, in percent of the GPU's memory."""
    used, total = report.used, report.total
    assert used
    assert total
    other = constants.other_mib if report.counts_graphs else constants.other_mib_before
    copies = constants.sorting_copies if report.sorts_logits else working.LOGITS_COPIES
    return (_predicted(report, copies) + other / 1024 - used) / total * 100


def fit(among: Sequence[Report]) -> Constants:
    """The constants with the least sum of errors; the smaller ones where several have."""
    copies = min(COPIES, key=lambda number: _best(among, number)[0])
    return Constants(copies, *_best(among, copies)[1])


def left_out(report: Report, among: Sequence[Report]) -> float:
    """The error with constants that this log had no part in."""
    return error_percent(report, fit([other for other in among if other is not report]))


def _best(among: Sequence[Report], copies: int) -> tuple[float, tuple[int, int]]:
    sums, chosen = 0.0, []
    for counts in (False, True):
        era = [report for report in among if report.counts_graphs == counts]
        errors = {mib: sum(abs(error_percent(report, Constants(copies, mib, mib))) for report in era)
                  for mib in OTHER_MIB}
        chosen.append(min(errors, key=lambda mib: errors[mib]))
        sums += min(errors.values())
    return sums, (chosen[0], chosen[1])


@cache
def _predicted(report: Report, copies: int) -> float:
    """GiB of all but what is not torch's on one rank."""
    shape, setup = report.plan.shape, report.plan.setup
    rows = min(setup.sequences, setup.batched_tokens) * shape.vocabulary
    activations = max(working.forward_bytes(shape, setup), working.logits_bytes(rows, copies))
    ranks = working.RANKS_BYTES if setup.tensor > 1 else 0
    return (sizing.weights_bytes(shape, report.plan.form, setup) + activations + ranks
            + working.graph_bytes(shape, setup)) / GIB
