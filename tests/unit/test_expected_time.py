"""How long a start takes: kept of one that came to serve, and what a later one is expected to take by it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from deepseekserve.agent.reasons import Phase
from deepseekserve.diagnose import Progress, progress
from deepseekserve.facts import PodFacts, Took, last_took, parse_took
from deepseekserve.facts.moments import rfc3339
from tests.unit.seen import NOW, pod, report

TOOK = Took("2026-11-24T11:00:00Z", {Phase.STARTING: 20.0, Phase.LOADING_WEIGHTS: 60.0, Phase.COMPILING: 20.0})


def passed(*phases: tuple[Phase, int]) -> tuple[tuple[Phase, str], ...]:
    """Phases as an agent reports them, each with how many seconds ago it began."""
    return tuple((phase, rfc3339(NOW - timedelta(seconds=ago_s))) for phase, ago_s in phases)


# What is kept

def served(ago_s: int, took_s: int = 100, **changes: object) -> PodFacts:
    phases = passed((Phase.STARTING, ago_s + took_s), (Phase.LOADING_WEIGHTS, ago_s + 60), (Phase.SERVING, ago_s))
    return pod("ready", report=report("serving", phases=phases), **changes)


def test_the_latest_start_that_serves_is_kept_by_phase_without_what_comes_after() -> None:
    found = last_took([served(600), served(300), served(900)])
    assert found == Took("2026-11-24T11:57:30Z", {Phase.STARTING: 40.0, Phase.LOADING_WEIGHTS: 60.0})


def test_a_start_that_does_not_serve_and_one_whose_agent_says_nothing_are_not_kept() -> None:
    going = report("loading", phases=passed((Phase.STARTING, 90), (Phase.LOADING_WEIGHTS, 60)))
    assert last_took([]) is None
    assert last_took([pod("ready"), pod("ready", report=report("serving"))]) is None
    assert last_took([pod("running", report=going), pod("ready", report=going)]) is None
    assert last_took([served(300, ready=False)]) is None


def test_what_only_a_wrong_clock_can_show_is_not_kept() -> None:
    assert last_took([served(300, took_s=40)]) is None
    begun = passed((Phase.STARTING, 300), (Phase.SERVING, 300))
    assert last_took([pod("ready", report=report("serving", phases=begun))]) is None
    assert last_took([pod("ready", report=report("serving", phases=((Phase.SERVING, ""),)))]) is None


def test_it_survives_being_written() -> None:
    assert parse_took(TOOK.text) == TOOK
    kept = last_took([served(300)])
    assert kept
    assert parse_took(kept.text) == kept


def test_what_would_be_read_as_nothing_is_not_kept_or_it_would_be_news_for_ever() -> None:
    half = ((Phase.STARTING, "2026-11-24T12:00:00.0Z"), (Phase.SERVING, "2026-11-24T12:00:00.4Z"))
    strange = passed((Phase.PULLING, 90), (Phase.SERVING, 60))
    assert last_took([pod("ready", report=report("serving", phases=half))]) is None
    assert last_took([pod("ready", report=report("serving", phases=strange))]) is None


@pytest.mark.parametrize("text", [
    None, "", "{}", "[]", "7", 100_000 * "[", "nonsense", '{"served":"2026-11-24T11:00:00Z"}',
    '{"served":1,"seconds":{"Starting":1}}',
    '{"served":"once","seconds":{"Starting":1}}', '{"served":"2026-11-24T11:00:00Z","seconds":[]}',
    '{"served":"2026-11-24T11:00:00Z","seconds":{}}', '{"served":"2026-11-24T11:00:00Z","seconds":{"Starting":-1}}',
    '{"served":"2026-11-24T11:00:00Z","seconds":{"Starting":NaN}}',
    '{"served":"2026-11-24T11:00:00Z","seconds":{"Starting":1e99}}',
    '{"served":"2026-11-24T11:00:00Z","seconds":{"Starting":1' + 400 * "0" + "}}",
    '{"served":"2026-11-24T11:00:00Z","seconds":{"Serving":5}}',
])
def test_what_others_wrote_is_nothing(text: str | None) -> None:
    assert parse_took(text) is None


def test_only_a_later_start_that_took_notably_longer_or_shorter_is_news() -> None:
    later = replace(TOOK, served="2026-11-24T12:00:00Z")
    slower = replace(later, seconds={**TOOK.seconds, Phase.COMPILING: 45.0})
    assert TOOK.is_news_to(None)
    assert not later.is_news_to(TOOK)
    assert not replace(later, seconds={**TOOK.seconds, Phase.COMPILING: 39.0}).is_news_to(TOOK)
    assert slower.is_news_to(TOOK)
    assert not TOOK.is_news_to(slower)
    assert replace(later, seconds={**TOOK.seconds, Phase.DOWNLOADING: 25.0}).is_news_to(TOOK)


# What a later start is expected to take

def standing(phase: Phase, percent: int, *phases: tuple[Phase, int], took: Took = TOOK) -> Progress:
    """Where a start stands that reports these phases, the last one the present one."""
    told = passed(*phases)
    said = report("loading", phase=phase, percent=percent, phase_since=told[-1][1], phases=told, expected_seconds=7.0)
    return progress(pod("running", report=said), NOW, took=took)


def left_s(stands: Progress) -> float:
    assert stands.ready_at
    return (stands.ready_at - NOW).total_seconds()


def test_a_start_is_expected_to_take_what_the_earlier_one_took() -> None:
    first = standing(Phase.STARTING, 0, (Phase.STARTING, 0))
    assert (first.percent, left_s(first)) == (0, 100)
    half = standing(Phase.STARTING, 3, (Phase.STARTING, 10))
    assert (half.percent, left_s(half)) == (10, 90)
    loading = standing(Phase.LOADING_WEIGHTS, 35, (Phase.STARTING, 50), (Phase.LOADING_WEIGHTS, 30))
    assert (loading.percent, left_s(loading)) == (50, 50)


def test_a_slower_beginning_makes_the_rest_longer() -> None:
    late = standing(Phase.STARTING, 0, (Phase.STARTING, 40))
    assert (late.percent, left_s(late)) == (20, 160)
    loading = standing(Phase.LOADING_WEIGHTS, 35, (Phase.STARTING, 40), (Phase.LOADING_WEIGHTS, 0))
    assert (loading.percent, left_s(loading)) == (20, 160)
    faster = standing(Phase.LOADING_WEIGHTS, 35, (Phase.STARTING, 10), (Phase.LOADING_WEIGHTS, 0))
    assert left_s(faster) == 40


def test_a_bar_says_more_the_further_it_has_come() -> None:
    begun = ((Phase.STARTING, 140), (Phase.LOADING_WEIGHTS, 120))
    assert left_s(standing(Phase.LOADING_WEIGHTS, 35, *begun)) == 0 + 20          # no bar: longer than usual already
    assert left_s(standing(Phase.LOADING_WEIGHTS, 40, *begun)) == pytest.approx(0.8 * (120 + 0.8 * 60) + 20)
    assert left_s(standing(Phase.LOADING_WEIGHTS, 55, *begun)) == pytest.approx(0.2 * (120 + 0.2 * 60) + 20)


def test_the_percent_never_runs_ahead_of_a_phase_that_does_not_end() -> None:
    hung = standing(Phase.LOADING_WEIGHTS, 35, (Phase.STARTING, 9999), (Phase.LOADING_WEIGHTS, 9979))
    assert hung.percent == 80


def test_where_the_earlier_start_is_no_measure_the_log_alone_counts() -> None:
    downloading = standing(Phase.DOWNLOADING, 20, (Phase.STARTING, 40), (Phase.DOWNLOADING, 20))
    assert (downloading.percent, left_s(downloading)) == (20, 7)
    announced = standing(Phase.SERVING, 100, (Phase.STARTING, 40), (Phase.SERVING, 0))
    assert (announced.percent, left_s(announced)) == (95, 7)
    unsaid = report("loading", phase_since="")
    assert progress(pod("running", report=unsaid), NOW, took=TOOK).percent == 37


def test_a_start_whose_beginning_cannot_be_compared_is_taken_for_as_fast() -> None:
    old_agent = report("loading", percent=35, phase_since=rfc3339(NOW))
    assert left_s(progress(pod("running", report=old_agent), NOW, took=TOOK)) == 80
    unmeasured = replace(TOOK, seconds={Phase.LOADING_WEIGHTS: 60.0})
    assert left_s(standing(Phase.LOADING_WEIGHTS, 35, (Phase.LOADING_WEIGHTS, 15), took=unmeasured)) == 45


def test_a_node_whose_clock_is_ahead_has_only_begun() -> None:
    assert left_s(standing(Phase.STARTING, 0, (Phase.STARTING, -5))) == 100


def test_a_failed_start_is_expected_nowhere() -> None:
    dying = report("dying", phase_since=rfc3339(NOW))
    assert progress(pod("running", report=dying), NOW, took=TOOK).ready_at is None
