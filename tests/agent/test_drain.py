"""When a drain is over: a table of queue lengths over time."""

import pytest

from deepseekserve.agent.drain import Drain
from deepseekserve.agent.limits import Limits

LIMITS = Limits()      # at least 5 s, and 2 s without requests


def drained_at(queue: list[tuple[float, float | None]], budget_s: float = 60.0) -> float | None:
    drain = Drain(since=0.0, budget_s=budget_s)
    for now, requests in queue:
        drain = drain.observe(requests, now)
        if drain.is_over(now, LIMITS):
            return now
    return None


@pytest.mark.parametrize(("queue", "budget_s", "at"), [
    ([(t, 0) for t in range(10)], 60, 5),
    ([(t, 3 if t < 8 else 0) for t in range(20)], 60, 10),
    ([(t, 0 if t in (6, 9) else 1) for t in range(20)], 60, None),
    ([(t, None) for t in range(100)], 60, 60),
    ([(t, 5) for t in range(100)], 30, 30),
    ([(t, 0) for t in range(10)], 3, 3),
    ([(0, 4)], 0, 0),
    ([(4, 0), (5, None), (6, 0), (7, 0), (8, 0)], 60, 8),
], ids=["idle", "the last request ends", "never quiet for long enough", "unknown counts as busy", "the budget is over",
        "a budget below the lame duck", "no budget", "a gap starts the quiet time again"])
def test_a_drain_ends(queue: list[tuple[float, float | None]], budget_s: float, at: float | None) -> None:
    assert drained_at(queue, budget_s) == at
