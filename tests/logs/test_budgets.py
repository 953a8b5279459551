"""The stall budget at its default, on a virtual clock: no start that came up trips it, every start that hangs does."""

from itertools import groupby, pairwise

import pytest

from deepseekserve.agent.diagnosis import LogReader
from deepseekserve.agent.reasons import Phase
from deepseekserve.api.spec import Start
from tests.logs import recorder
from tests.logs.recorder import Log

STALL_S = Start().stall_seconds
LONGEST_S = 6 * STALL_S            # that any phase may be silent
# What engines say for ever while they wait.
HEARTBEATS = (
    b"(EngineCore pid=7) INFO 11-21 21:05:10 [shm_broadcast.py:681] No available shared memory broadcast block found in"
    b" 60 seconds. This typically happens when some processes are hanging.\n",
    b"(APIServer) DEBUG 11-21 21:05:10 [utils.py:1] Waiting for 1 local, 0 remote core engine proc(s) to start.\n",
    b'INFO:     127.0.0.1:41822 - "GET /health HTTP/1.1" 503 Service Unavailable\n',
)


def budget(reader: LogReader) -> float:
    return STALL_S * max(1.0, reader.stall_budget_factor)


@pytest.mark.parametrize("log", recorder.SUCCESSES, ids=str)
def test_no_start_that_came_up_was_silent_for_its_budget(log: Log) -> None:
    reader = LogReader()
    for second, line in log.clocked():
        reader.tick(second)
        assert second - reader.last_progress < budget(reader)
        reader.feed(line, second)
        if reader.serving_announced:
            return


def cuts(log: Log) -> dict[Phase, list[int]]:
    """By phase, how many lines a start has written at the beginning, in the middle and at the end of it."""
    reader, phases = LogReader(), []
    for second, line in log.clocked():
        reader.feed(line, second)
        phases.append(reader.phase)
    bounds = [0, *(i for i, (one, other) in enumerate(pairwise(phases), 1) if one is not other), len(phases)]
    return {phase: [low + 1, (low + high + 1) // 2, high]
            for (phase, _), (low, high) in zip(groupby(phases), pairwise(bounds), strict=True)}


@pytest.mark.parametrize("log", recorder.SUCCESSES, ids=str)
def test_a_start_that_hangs_trips_it_in_whatever_phase(log: Log) -> None:
    lines = list(log.clocked())
    for phase, counts in cuts(log).items():
        for count in counts:
            reader = LogReader()
            for second, line in lines[:count]:
                reader.feed(line, second)
            hung_at = now = lines[count - 1][0]
            while now - reader.last_progress < budget(reader):
                assert now - hung_at <= LONGEST_S, f"{phase.value}, after {count} lines"
                now += 60.0
                for beat in HEARTBEATS:
                    reader.feed(beat, now)
