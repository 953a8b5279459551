"""Real starts, eager and compiling: phases in order, percent never falling, Ready only after a completion."""

import pytest

from tests.e2e.conftest import Start
from tests.lab.watch import Seen

ORDER = [
    "Pending",
    "Scheduling",
    "Pulling",
    "Starting",
    "Downloading",
    "LoadingWeights",
    "Compiling",
    "ProfilingMemory",
    "CapturingGraphs",
    "Serving",
]
OCCUR = {
    "served_start": {"Starting", "LoadingWeights", "ProfilingMemory", "Serving"},
    "keyed_start": {"Starting", "LoadingWeights", "Compiling", "ProfilingMemory", "Serving"},
}


@pytest.fixture(params=OCCUR, ids=["eager", "compiling"])
def which(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def start(request: pytest.FixtureRequest, which: str) -> Start:
    made: Start = request.getfixturevalue(which)
    return made


def phases_in_order(seen: list[Seen]) -> set[str]:
    """The phases of a start; raises AssertionError where one has gone back."""
    phases = [s.object["status"]["phase"] for s in seen if s.object.get("status", {}).get("phase")]
    ranks = [ORDER.index(p) for p in phases]
    assert ranks == sorted(ranks), phases
    return set(phases)


def test_a_start_shows_its_phases_in_order(start: Start, which: str) -> None:
    assert OCCUR[which] <= phases_in_order(start.seen)


def test_the_percent_of_a_start_never_falls(start: Start) -> None:
    startups = [s.object.get("status", {}).get("startup", {}) for s in start.seen]
    percents = [startup["percent"] for startup in startups if "percent" in startup]
    assert percents
    assert percents == sorted(percents), percents
    assert all(p % 5 == 0 for p in percents)


def test_ready_comes_only_after_a_completion(start: Start) -> None:
    assert start.completion_to_ready_s > 0
    assert start.seen[-1].object["status"]["observedGeneration"] == 1
