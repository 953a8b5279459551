"""The benchmark's arithmetic and its tables."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.bench.report import BEGIN, END, BenchError, page, percentile, ratio, spread, table
from tests.bench.summary import LOOP, OPERATOR, Burst, Found, summary
from tests.bench.watching import Deployments
from tests.cluster.audit import Record

ABOUT: Mapping[str, Any] = {
    "date": "2026-11-27", "commit": "abc", "cores": 2, "memoryGib": 8, "kernel": "Linux 6", "python": "3.11",
    "minutes": 1.5, "quick": False,
}
EMPTY = f"before\n{BEGIN}\n{END}\nafter\n"


@pytest.mark.parametrize(("percent", "value"), [(1, 1), (50, 5), (51, 6), (95, 10), (100, 10)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: float) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == value


def test_one_value_is_every_percentile() -> None:
    assert spread([0.0421]) == {"count": 1, "p50Ms": 42.1, "p95Ms": 42.1, "p99Ms": 42.1, "longestMs": 42.1}


def test_a_ratio_says_how_many_times_as_long_we_take() -> None:
    assert ratio(3.0, 2.0) == 1.5
    assert ratio(0.01, 0.0) is None


def test_a_table_aligns_figures_and_separates_thousands() -> None:
    assert table(("what", "value"), [("a", 1234.5), ("b", "none"), ("c", True)]) == (
        "| what | value |\n| --- | --: |\n| a | 1,234.5 |\n| b | none |\n| c | True |")


def test_a_page_keeps_every_word_around_its_figures() -> None:
    once = page(EMPTY, {"agent": {"about": ABOUT, "figures": {"load": 1.0}}})
    twice = page(once, {"agent": {"about": ABOUT, "figures": {"load": 2.0}}})
    assert twice.startswith("before\n")
    assert twice.endswith("\nafter\n")
    assert ("| load | 1.0 |" in once, "| load | 1.0 |" in twice, "| load | 2.0 |" in twice) == (True, False, True)


def test_a_page_without_markers_is_not_written() -> None:
    with pytest.raises(BenchError, match="lacks the markers"):
        page("prose", {})


def test_groups_of_figures_of_any_benchmark_become_tables() -> None:
    figures = {"cores": 2, "paced": {"log": {"bare": {"p50": 1}, "agent": {"p50": 2, "gaps": 0}}}}
    written = page(EMPTY, {"agent": {"about": ABOUT, "figures": figures}})
    head = ("### Paced", "", "|  | p50 | gaps |", "| --- | --: | --: |")
    assert "\n".join((*head, "| log, bare | 1 |  |", "| log, agent | 2 | 0 |")) in written


def record(at: float, verb: str, resource: str) -> Record:
    return Record(at, at + 0.5, "", "", "", verb, resource, "bench", "x", 200)


def found() -> Found:
    """Two resources at once: the loop took turns before and after the operator."""
    made = Found()
    made.add(2, LOOP, Burst((0.1, 0.3), 0.4, 100, 110), 0.1)
    made.add(2, OPERATOR, Burst((0.2, 0.6), 0.9, 200, 210), 0.4)
    made.add(2, LOOP, Burst((0.1, 0.3), 0.8, 300, 310), 0.3)
    made.edit[2] = [Burst((0.5, 0.7), 0.7, 220, 230)]
    made.deletion[2] = [Burst((0.05, 0.06), 0.06, 240, 250)]
    made.idle, made.idle_window = {"seconds": 10, "cpuS": 0.1}, (250, 260)
    made.restart, made.restart_window = {"lookedAtS": 2.0, "cpuS": 1.5, "newS": 1.0}, (270, 280)
    made.memory = {"peakMib": 100.0, "steadyMib": 90.0, "restartPeakMib": 80.0, "emptyMib": 70.0}
    return made


def test_sides_are_compared_by_all_their_turns() -> None:
    creation = summary(found(), [], 3)["creation"]["2"]
    assert (creation[LOOP]["totalS"], creation[LOOP]["cpuS"], creation[LOOP]["count"]) == (0.6, 0.2, 4)
    assert (creation["ratio"]["total"], creation["ratio"]["p50"], creation["ratio"]["cpu"]) == (1.5, 2.0, 2.0)


def test_requests_are_counted_in_the_window_in_which_they_came() -> None:
    records = [
        record(201, "create", "deployments"), record(202, "create", "deployments"), record(221, "patch", "deployments"),
        record(101, "create", "deployments"), record(301, "create", "deployments"), record(251, "update", "leases"),
        record(252, "get", "pods"), record(271, "list", "pods"), record(272, "list", "services"),
        record(290, "create", "deployments"),
    ]
    got = summary(found(), records, 3)
    assert got["requests"]["operator: create"] == {"create deployments": 1.0}
    assert got["requests"]["loop: create"] == {"create deployments": 0.5}
    assert got["requests"]["edit"] == {"patch deployments": 0.5}
    assert (got["idle"]["writes"], got["idle"]["renewals"]) == (0, 1)
    assert (got["restart"]["writes"], got["restart"]["requests"]) == (0, {"list": 2})
    assert got["creation"]["2"][OPERATOR]["writtenS"] == 2.5


def test_the_operators_page_names_every_aim() -> None:
    written = page(EMPTY, {"operator": {"about": ABOUT, "figures": summary(found(), [record(105, "get", "x")], 3)}})
    for row in ("| 2 | **ratio** | 2.0 | 2.0 | 2.0 | 1.5 |", "| restart: requests that change something | 0 |",
                "| memory (RSS): peak while all are made, edited and deleted | 100.0 MiB |",
                "| an edit that rolls, 2 | 500.0 | 700.0 | 700.0 | 0.7 |"):
        assert row in written


def event(uid: str, version: str, generation: int = 1, kind: str = "MODIFIED") -> dict[str, Any]:
    metadata = {"name": "x", "uid": uid, "generation": generation, "resourceVersion": version}
    return {"type": kind, "object": {"metadata": metadata}}


async def test_the_moment_counts_at_which_what_is_wanted_is_seen_first() -> None:
    seen = Deployments()
    seen.see(event("a", "5"), 1.0)
    moment = seen.expect("x", lambda now: now.uid != "a")
    seen.see(event("a", "6", generation=2), 2.0)
    seen.see(event("a", "7", kind="DELETED"), 3.0)
    assert (moment.done(), seen.get("x")) == (False, None)
    seen.see(event("b", "8"), 4.0)
    seen.see(event("b", "9", generation=2), 5.0)
    assert (await moment, seen["x"]) == (4.0, ("b", 2))


def test_a_watch_goes_on_where_it_was_cut_off_and_anew_where_it_cannot() -> None:
    seen = Deployments()
    for version in ("9", "10", "8"):
        seen.see(event("a", version), 1.0)
    assert seen.as_of == "10"
    seen.forget()
    assert (seen.as_of, seen.get("x")) == ("0", None)


async def test_a_watch_that_is_broken_keeps_nobody_waiting() -> None:
    seen = Deployments()
    moment = seen.expect("x", lambda _: True)
    seen.fail(BenchError("broken"))
    with pytest.raises(BenchError, match="broken"):
        await moment
    with pytest.raises(BenchError, match="broken"):
        seen.expect("y", lambda _: True)
