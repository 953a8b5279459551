"""The next status, as a function of the last one and of what was seen: conditions, phase, failure, startup, engine."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from deepseekserve.agent.diagnosis import LogReader
from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.api import Condition, Status
from deepseekserve.diagnose import diagnose
from deepseekserve.facts import Amounts, Finding, Fit, PodFacts, Took
from deepseekserve.facts.pods import Mounting, Trouble
from deepseekserve.status import Note, Subject, decide, makes_room, notes, passing, wanted_replicas
from tests.unit.seen import HASH, NOW, facts, pod, report

SUBJECT = Subject(
    name="tiny", namespace="demo", generation=3, replicas=1, revision=f"tiny-{HASH}", model="tiny-qwen2",
)
NEW = Status()
OLD = {"name": "tiny-old", "uid": "pod-uid-0", "revision": "older", "created": "2026-11-24T11:00:00Z"}
INVALID = Finding(Reason.INVALID_SPEC, "spec.engine.extraArgs contradicts a field.", "Remove --port.")
CONFLICT = Finding(Reason.NAME_CONFLICT, "The Service tiny belongs to somebody else.", "Delete it.")


def decided(
    *pods: PodFacts, previous: Status = NEW, subject: Subject = SUBJECT, finding: Finding | None = None,
) -> Status:
    seen = facts(*pods, revision=subject.revision_hash)
    return decide(subject, previous, seen, finding or diagnose(seen))


def later(seconds: float, *pods: PodFacts, previous: Status, subject: Subject = SUBJECT) -> Status:
    seen = facts(*pods, now=NOW + timedelta(seconds=seconds), revision=subject.revision_hash)
    return decide(subject, previous, seen, diagnose(seen))


def condition(status: Status, kind: str) -> Condition:
    return next(c for c in status.conditions if c.type == kind)


def truths(status: Status) -> dict[str, bool]:
    """Of what is seen of pods; Fits is of the spec alone."""
    return {c.type: c.status == "True" for c in status.conditions if c.type != "Fits"}


def failure_of(status: Status) -> Reason | None:
    return status.failure.reason if status.failure else None


def serving(previous: Status = NEW, **changes: object) -> Status:
    return decided(pod("ready", report=report("serving"), **changes), previous=previous)


def edited(**changes: object) -> Subject:
    """The same resource after an edit that makes another revision."""
    return replace(SUBJECT, generation=4, revision="tiny-9876543210", **changes)  # type: ignore[arg-type]


def current(situation: str, **changes: object) -> PodFacts:
    """A pod of the edited resource's revision."""
    return pod(situation, revision="9876543210", name="tiny-new", uid="pod-uid-2", **changes)


# Serving and starting

def test_a_resource_that_was_just_made_is_pending_and_reconciling() -> None:
    status = decided()
    assert (status.phase, status.observed_generation) == (Phase.PENDING, 3)
    assert truths(status) == {"Ready": False, "Reconciling": True, "Stalled": False, "Degraded": False}
    assert status.startup
    assert (status.startup.phase, status.startup.percent, status.startup.pod) == (Phase.PENDING, 0, None)
    assert (status.model, status.url) == ("tiny-qwen2", "http://tiny.demo.svc:8000/v1")
    assert (status.replicas, status.ready_replicas, status.selector) == (0, 0, "deepseekserve.io/name=tiny")
    assert (status.current_revision, status.last_good_revision) == (f"tiny-{HASH}", None)


def test_every_condition_speaks_of_the_generation_and_has_a_reason() -> None:
    for status in (decided(), serving(), decided(pod("back-off")), decided(finding=INVALID)):
        assert [c.type for c in status.conditions] == ["Ready", "Reconciling", "Stalled", "Degraded", "Fits"]
        assert all(c.reason and c.message and c.observed_generation == 3 for c in status.conditions)
        assert not (truths(status)["Reconciling"] and truths(status)["Stalled"])


def test_a_starting_pod_shows_phase_and_percent_in_steps_of_five() -> None:
    status = decided(pod("running", report=report("loading")))
    assert status.phase is Phase.LOADING_WEIGHTS
    assert condition(status, "Ready").reason == "LoadingWeights"
    assert status.startup
    assert status.startup.to_dict() == {
        "phase": "LoadingWeights", "percent": 35, "since": "2026-11-24T12:00:20Z", "pod": "tiny-abc",
        "expectedReadyTime": "2026-11-24T12:03:12Z",
    }


def test_a_ready_pod_serves_and_settles() -> None:
    status = serving(previous=decided(pod("running", report=report("loading"))))
    assert status.phase is Phase.SERVING
    assert truths(status) == {"Ready": True, "Reconciling": False, "Stalled": False, "Degraded": False}
    assert (status.startup, status.failure) == (None, None)
    assert (status.replicas, status.ready_replicas) == (1, 1)
    assert status.last_good_revision == f"tiny-{HASH}"


def test_nothing_changes_when_nothing_changes() -> None:
    for situation in ("ready", "running", "back-off", "image-back-off", "scheduling", "pulling"):
        first = decided(pod(situation))
        assert later(60, pod(situation), previous=first) == first
    assert later(60, previous=decided()) == decided()


def test_a_condition_keeps_its_time_until_its_status_flips() -> None:
    started = decided(pod("running"))
    going_on = later(30, pod("running", report=report("loading")), previous=started)
    assert condition(going_on, "Ready").reason != condition(started, "Ready").reason
    assert condition(going_on, "Ready").last_transition_time == condition(started, "Ready").last_transition_time
    served = later(60, pod("ready"), previous=going_on)
    assert condition(served, "Ready").last_transition_time == "2026-11-24T12:03:30Z"
    assert condition(served, "Stalled").last_transition_time == condition(started, "Stalled").last_transition_time


def test_two_pods_asked_for_and_one_ready_is_ready_and_still_reconciling() -> None:
    two = replace(SUBJECT, replicas=2)
    status = decided(pod("ready"), pod("running", name="tiny-b", report=report("loading")), subject=two)
    assert truths(status) == {"Ready": True, "Reconciling": True, "Stalled": False, "Degraded": False}
    assert status.phase is Phase.SERVING
    assert status.startup
    assert status.startup.pod == "tiny-b"
    assert status.last_good_revision is None


def test_one_pod_too_many_is_still_reconciling() -> None:
    status = decided(pod("ready"), pod("ready", name="tiny-b"))
    assert condition(status, "Reconciling").status == "True"
    assert condition(status, "Reconciling").reason == "Scaling"


def test_ready_tells_the_pods_that_serve_apart_from_those_that_are_asked_for() -> None:
    surge = decided(pod("ready", **OLD), current("ready"), previous=serving(), subject=edited())
    assert condition(surge, "Ready").message == "Pods that serve the model: 2; asked for: 1."
    older = decided(pod("ready", **OLD), previous=serving(), subject=edited())
    assert condition(older, "Ready").message == "Pods that serve the model: 1, of an earlier revision; asked for: 1."


# Startup

def test_the_slowest_pod_is_shown() -> None:
    two = replace(SUBJECT, replicas=2)
    fast = pod("running", name="a", report=report("loading"))
    alone = decided(pod("pulling", name="b"), subject=two)
    assert decided(fast, pod("pulling", name="b"), subject=two).startup == alone.startup
    slow = pod("running", name="b", report=report("loading", percent=12))
    status = decided(fast, slow, subject=two)
    assert status.startup
    assert (status.startup.pod, status.startup.percent) == ("b", 10)


def test_phase_and_percent_never_go_back_during_one_start() -> None:
    far = decided(pod("running", report=report("loading")))
    silent = later(1, pod("running"), previous=far)
    assert silent.startup == far.startup
    smaller = later(1, pod("running", report=report("loading", percent=12)), previous=far)
    assert smaller.startup == far.startup


TWO = replace(SUBJECT, replicas=2)


def loading(name: str, percent: int, **changes: object) -> PodFacts:
    return pod("running", name=name, report=report("loading", percent=percent), **changes)


def shown(status: Status) -> tuple[str | None, Phase | None, int | None]:
    assert status.startup
    return status.startup.pod, status.startup.phase, status.startup.percent


@pytest.mark.parametrize(("silent", "telling"), [("a", "b"), ("b", "a")])
def test_a_pod_whose_report_was_missed_is_not_taken_for_the_slowest(silent: str, telling: str) -> None:
    assert shown(decided(pod("running", name=silent), loading(telling, 40), subject=TWO))[0] == telling


def test_one_missed_report_of_either_of_two_pods_moves_nothing() -> None:
    both = decided(loading("a", 60), loading("b", 41), subject=TWO)
    assert shown(both) == ("b", Phase.LOADING_WEIGHTS, 40)
    for a, b in (("running", 0), (None, 41), (None, 0)):
        seen_a = pod("running", name="a") if a else loading("a", 60)
        seen_b = loading("b", b) if b else pod("running", name="b")
        assert later(1, seen_a, seen_b, previous=both, subject=TWO).startup == both.startup


def test_when_the_slowest_serves_a_silent_pod_goes_on_from_there() -> None:
    both = decided(loading("a", 60), loading("b", 41), subject=TWO)
    silent = later(1, pod("running", name="a"), pod("ready", name="b"), previous=both, subject=TWO)
    assert shown(silent) == ("a", Phase.LOADING_WEIGHTS, 40)
    assert shown(later(2, loading("a", 61), pod("ready", name="b"), previous=silent, subject=TWO))[2] == 60


def test_a_pod_that_tells_late_that_it_is_behind_does_not_send_the_percent_back() -> None:
    ahead = decided(loading("a", 40), pod("running", name="b"), subject=TWO)
    assert shown(later(1, loading("a", 46), loading("b", 5), previous=ahead, subject=TWO)) == (
        "b", Phase.LOADING_WEIGHTS, 40)


def test_a_container_that_was_restarted_begins_at_zero_beside_another_pod_too() -> None:
    ahead = decided(loading("a", 40), loading("b", 60), subject=TWO)
    starting = pod("running-again", name="b", report=report("starting"))
    assert shown(later(1, loading("a", 46), starting, previous=ahead, subject=TWO)) == ("b", Phase.STARTING, 0)


def test_another_revision_begins_at_zero_though_its_pods_are_older() -> None:
    back = decided(loading("old", 10), previous=decided(current("running", report=report("loading")), subject=edited()))
    assert shown(back)[2] == 10


def test_the_expected_time_is_written_again_only_with_the_percent() -> None:
    far = decided(pod("running", report=report("loading")))
    same = later(7, pod("running", report=report("loading", percent=39)), previous=far)
    assert same.startup == far.startup
    more = later(7, pod("running", report=report("loading", percent=40)), previous=far)
    assert more.startup
    assert (more.startup.percent, more.startup.expected_ready_time) == (40, "2026-11-24T12:03:19Z")


def test_an_earlier_start_lets_expect_an_end_from_the_first_second() -> None:
    took = Took("2026-11-24T11:00:00Z", {Phase.STARTING: 10.0, Phase.LOADING_WEIGHTS: 90.0})
    pods = pod("running", report=report("starting", phase_since="2026-11-24T12:02:25Z"))
    status = decide(SUBJECT, NEW, facts(pods, took=took), None)
    assert status.startup
    assert (status.startup.percent, status.startup.expected_ready_time) == (5, "2026-11-24T12:04:05Z")


def test_an_expected_time_that_comes_late_is_written() -> None:
    unknown = decided(pod("running", report=report("loading", expected_seconds=None)))
    known = later(1, pod("running", report=report("loading")), previous=unknown)
    assert known.startup
    assert known.startup.expected_ready_time == "2026-11-24T12:03:13Z"


def test_the_next_start_of_the_same_pod_begins_at_zero() -> None:
    far = decided(pod("running", report=report("loading")))
    again = later(1, pod("back-off"), previous=far)
    assert again.startup
    assert (again.startup.phase, again.startup.percent) == (Phase.STARTING, 0)
    assert again.startup.since == "2026-11-24T12:01:00Z"
    since = "2026-11-24T12:01:20Z"
    loading = later(5, pod("running-again", report=report("loading", phase_since=since)), previous=again)
    assert loading.startup
    assert loading.startup.percent == 35
    assert later(6, pod("running-again"), previous=loading).startup == loading.startup


def test_another_pod_begins_at_zero() -> None:
    far = decided(pod("running", report=report("loading")))
    other = later(1, pod("scheduling", name="tiny-b"), previous=far)
    assert other.startup
    assert (other.startup.phase, other.startup.percent) == (Phase.SCHEDULING, 0)


PASSED = (
    (Phase.STARTING, "2026-11-24T12:00:02Z"),
    (Phase.LOADING_WEIGHTS, "2026-11-24T12:00:20Z"),
    (Phase.COMPILING, "2026-11-24T12:00:21Z"),
    (Phase.PROFILING_MEMORY, "2026-11-24T12:00:22Z"),
)
SERVED = (Phase.SERVING, "2026-11-24T12:00:23Z")


STARTED = {"phase": Phase.STARTING, "phases": PASSED[:1]}
PROFILING = {"phase": Phase.PROFILING_MEMORY, "phases": PASSED}
ANNOUNCED = {"phase": Phase.SERVING, "phases": (*PASSED, SERVED)}


def between(previous: Status, *pods: PodFacts, subject: Subject = SUBJECT) -> list[Status]:
    """What is shown between the last status and that of these pods."""
    seen = facts(*pods, revision=subject.revision_hash)
    return list(passing(previous, decided(*pods, previous=previous, subject=subject), seen))


def shown_phases(statuses: list[Status]) -> list[tuple[Phase | None, str | None]]:
    return [(s.startup.phase, s.startup.since) for s in statuses if s.startup]


@pytest.mark.parametrize(
    ("situation", "told", "unseen"),
    [
        ("running", PROFILING, PASSED[1:3]),          # ProfilingMemory itself is what the next status shows
        ("running", ANNOUNCED, ()),                   # that one stays where it was until the pod is ready
        ("ready", ANNOUNCED, PASSED[1:]),
        ("running", STARTED, ()),
        ("running", {"phases": ()}, ()),              # an older agent
    ],
    ids=["on its way", "announced", "ready", "nothing new", "not told"],
)
def test_phases_that_passed_between_two_looks_are_shown(
    situation: str, told: dict[str, Any], unseen: tuple[tuple[Phase, str], ...]
) -> None:
    before = decided(pod("running", report=report("starting", **STARTED)))
    walked = between(before, pod(situation, report=report("loading", **told)))
    assert shown_phases(walked) == list(unseen)
    assert [s.phase for s in walked] == [phase for phase, _ in unseen]
    assert all(s.conditions == before.conditions for s in walked)


def test_an_older_revision_goes_on_serving_while_phases_pass() -> None:
    old = serving()
    before = decided(pod("ready", **OLD), current("running", report=report("starting", **STARTED)),
                     previous=old, subject=edited())
    walked = between(before, pod("ready", **OLD), current("running", report=report("loading", **PROFILING)),
                     subject=edited())
    assert shown_phases(walked) == list(PASSED[1:3])
    assert {s.phase for s in walked} == {Phase.SERVING}


def test_phases_out_of_order_are_never_shown_going_back() -> None:
    before = decided(pod("running", report=report("starting", **STARTED)))
    odd = {**PROFILING, "phases": (PASSED[2], PASSED[1], PASSED[2], (Phase.LOADING_WEIGHTS, ""), PASSED[3])}
    assert shown_phases(between(before, pod("running", report=report("loading", **odd)))) == [PASSED[2]]


@pytest.mark.parametrize(
    ("seen", "subject"),
    [
        (pod("running", name="b"), SUBJECT),
        (pod("running-again"), SUBJECT),
        (current("running"), edited()),
        (pod("running"), replace(SUBJECT, replicas=0)),
    ],
    ids=["another pod", "another start", "another revision", "suspended"],
)
def test_nothing_is_shown_between_two_statuses_that_are_not_of_one_start(seen: PodFacts, subject: Subject) -> None:
    before = decided(pod("running", report=report("starting", **STARTED)))
    assert between(before, replace(seen, report=report("loading", **PROFILING)), subject=subject) == []


def test_nothing_is_shown_between_two_statuses_when_no_start_was_shown() -> None:
    assert between(serving(), pod("running", report=report("loading", **PROFILING))) == []


def test_serving_is_for_the_pods_ready_condition_to_say() -> None:
    far = decided(pod("running", report=report("loading")))
    announced = later(1, pod("running", report=report("announced")), previous=far)
    assert announced.phase is Phase.LOADING_WEIGHTS
    assert announced.startup
    assert announced.startup.percent == 95
    unready_again = decided(pod("running", report=report("announced")), previous=serving())
    assert unready_again.phase is Phase.STARTING


def test_a_server_that_does_not_answer_its_probe_is_no_start() -> None:
    lapsed = pod("unready-after-a-restart", report=report("announced"))
    status = decided(lapsed, previous=serving())
    assert (status.phase, status.startup, status.failure) == (Phase.STARTING, None, None)
    assert truths(status) == {"Ready": False, "Reconciling": True, "Stalled": False, "Degraded": False}
    ready = condition(status, "Ready")
    assert (ready.reason, ready.message) == (
        "NotAnswering", "Served before, and does not answer its probe now: tiny-abc.")
    assert condition(status, "Reconciling").reason == "NotAnswering"
    beside = decided(lapsed, loading("b", 40), previous=serving(), subject=TWO)
    assert shown(beside) == ("b", Phase.LOADING_WEIGHTS, 40)
    assert condition(beside, "Ready").reason == "NotAnswering"
    assert condition(beside, "Reconciling").reason == "LoadingWeights"


def test_a_server_that_lapses_beside_one_that_serves_is_waited_for() -> None:
    status = decided(pod("unready-after-a-restart", name="b"), pod("ready"), previous=serving(), subject=TWO)
    assert (status.phase, status.startup) == (Phase.SERVING, None)
    assert condition(status, "Reconciling").reason == "NotAnswering"


def test_a_phase_without_a_time_of_its_own_keeps_the_one_at_which_it_was_first_seen() -> None:
    first = decided(pod("pulling"))
    assert first.startup
    assert first.startup.since == "2026-11-24T12:02:30Z"
    assert later(9, pod("pulling"), previous=first).startup == first.startup


# An older revision serves

def test_while_an_older_revision_serves_ready_stays_true() -> None:
    new = current("running", report=report("loading"))
    status = decided(pod("ready", **OLD), new, previous=serving(), subject=edited())
    assert status.phase is Phase.SERVING
    assert truths(status) == {"Ready": True, "Reconciling": True, "Stalled": False, "Degraded": False}
    assert "earlier revision" in condition(status, "Ready").message
    assert status.startup
    assert status.startup.pod == "tiny-new"
    assert status.last_good_revision == f"tiny-{HASH}"


def test_the_new_revisions_failure_degrades_what_the_old_one_serves() -> None:
    status = decided(pod("ready", **OLD), current("back-off"), previous=serving(), subject=edited())
    assert status.phase is Phase.SERVING
    assert truths(status) == {"Ready": True, "Reconciling": False, "Stalled": True, "Degraded": True}
    assert condition(status, "Degraded").reason == "QuantizationMissingConfig"
    assert failure_of(status) is Reason.QUANTIZATION_MISSING_CONFIG
    assert status.failure
    assert status.failure.to_dict()["fixes"] == [
        {"field": "spec.engine.quantization", "value": "Auto", "why": "as the checkpoint says"},
    ]


def test_a_failure_ends_when_its_revision_serves() -> None:
    failed = decided(pod("ready", **OLD), current("back-off"), subject=edited())
    mended = later(60, current("ready-after-a-restart"), previous=failed, subject=edited())
    assert mended.failure is None
    assert truths(mended) == {"Ready": True, "Reconciling": False, "Stalled": False, "Degraded": False}
    assert mended.last_good_revision == "tiny-9876543210"


def test_a_failure_ends_with_its_revision() -> None:
    failed = decided(pod("ready", **OLD), current("back-off"), subject=edited())
    back = later(1, pod("ready"), current("back-off"), previous=failed)
    assert back.failure is None
    assert truths(back)["Degraded"] is False


# Failing

def test_a_failed_start_is_told_in_ready_and_stays_told_during_the_next() -> None:
    failed = decided(pod("oom-killed"))
    assert failed.phase is Phase.FAILED
    assert truths(failed) == {"Ready": False, "Reconciling": True, "Stalled": False, "Degraded": False}
    assert condition(failed, "Ready").reason == "HostOutOfMemory"
    replaced = later(60, pod("running", name="tiny-b", report=report("loading")), previous=failed)
    assert (replaced.phase, failure_of(replaced)) == (Phase.FAILED, Reason.HOST_OUT_OF_MEMORY)
    assert replaced.startup
    assert replaced.startup.phase is Phase.LOADING_WEIGHTS


def test_a_failure_that_only_an_edit_can_cure_stalls_at_once() -> None:
    status = decided(pod("terminated"))
    assert truths(status) == {"Ready": False, "Reconciling": False, "Stalled": True, "Degraded": False}
    assert "Set spec.engine.quantization to Auto." in condition(status, "Stalled").message


def test_what_keeps_a_pod_from_starting_is_gone_when_it_is_gone() -> None:
    waiting = decided(pod("image-back-off"))
    assert (waiting.phase, failure_of(waiting)) == (Phase.FAILED, Reason.IMAGE_PULL_FAILED)
    running = later(30, pod("running", report=report("loading")), previous=waiting)
    assert (running.phase, running.failure) == (Phase.LOADING_WEIGHTS, None)


def test_a_failure_without_a_time_has_the_one_at_which_it_was_first_written() -> None:
    first = decided(pod("config-error"))
    assert first.failure
    assert first.failure.at == "2026-11-24T12:02:30Z"
    assert later(99, pod("config-error"), previous=first) == first
    other = later(99, pod("config-error", name="tiny-b"), previous=first)
    assert other.failure
    assert other.failure.at == "2026-11-24T12:04:09Z"


def test_why_an_image_was_not_pulled_stays_told_while_the_kubelet_only_waits() -> None:
    said = Trouble("ErrImagePull", 'failed to resolve reference "x:1": not found')
    silent = Trouble("ImagePullBackOff", 'Back-off pulling image "x:1"')
    first = decided(pod("image-back-off", waiting=said))
    assert later(9, pod("image-back-off", waiting=silent), previous=first) == first
    other = later(9, pod("image-back-off", waiting=silent, name="tiny-b"), previous=first)
    assert other.failure
    assert other.failure.message == "The kubelet cannot pull the image of the engine's container: ImagePullBackOff."
    full = later(9, pod("image-back-off", name="tiny-b", waiting=said), previous=other)
    assert full.failure
    assert "the registry has no such image" in full.failure.message


# Giving up

def exhausted(**changes: object) -> PodFacts:
    return pod("back-off", restarts=3, **changes)


def test_after_three_restarts_of_what_only_an_edit_can_cure_nothing_shall_run() -> None:
    assert wanted_replicas(SUBJECT, decided(pod("back-off", restarts=2))) == 1
    halted = decided(exhausted())
    assert wanted_replicas(SUBJECT, halted) == 0
    assert halted.failure
    assert halted.failure.message == (
        "The checkpoint has no AWQ configuration. "
        "It was scaled to zero after 3 restarts; any edit of the spec starts it again."
    )
    assert halted.phase is Phase.FAILED
    assert truths(halted) == {"Ready": False, "Reconciling": False, "Stalled": True, "Degraded": False}


def test_the_third_restart_has_its_chance() -> None:
    assert wanted_replicas(SUBJECT, decided(pod("running-again", restarts=3))) == 1
    dying = report("dying", failure=replace(INVALID, reason=Reason.CONTEXT_TOO_LONG))
    assert wanted_replicas(SUBJECT, decided(pod("running-again", restarts=3, report=dying))) == 0


def test_what_may_pass_keeps_its_pods() -> None:
    assert wanted_replicas(SUBJECT, decided(pod("oom-killed", restarts=30))) == 1


def test_while_another_revision_serves_nothing_is_scaled_to_zero() -> None:
    status = decided(pod("ready", **OLD), exhausted())
    assert wanted_replicas(SUBJECT, status) == 1


def test_a_good_revision_that_does_not_answer_for_a_moment_is_not_scaled_to_zero() -> None:
    status = decided(pod("running"), current("back-off", restarts=3), previous=serving(), subject=edited())
    assert truths(status) == {"Ready": False, "Reconciling": False, "Stalled": True, "Degraded": False}
    assert wanted_replicas(edited(), status) == 1


def test_a_revision_that_has_served_is_not_given_up() -> None:
    assert wanted_replicas(SUBJECT, decided(exhausted(), previous=serving())) == 1


def test_a_revision_that_has_served_waits_for_no_edit_when_it_runs_out_of_memory() -> None:
    full = report("dying", failure=replace(INVALID, reason=Reason.CUDA_OUT_OF_MEMORY))
    crashed = decided(pod("running-again", report=full), previous=serving())
    assert failure_of(crashed) is Reason.CUDA_OUT_OF_MEMORY
    assert truths(crashed) == {"Ready": False, "Reconciling": True, "Stalled": False, "Degraded": False}
    assert condition(crashed, "Reconciling").reason == "Retrying"
    again = later(60, pod("running-again", restarts=9), previous=crashed)
    assert (truths(again)["Reconciling"], truths(again)["Stalled"]) == (True, False)


def test_a_revision_of_which_one_pod_serves_waits_for_no_edit_though_it_was_never_complete() -> None:
    two = replace(SUBJECT, replicas=2)
    status = decided(pod("ready"), exhausted(name="tiny-b"), subject=two)
    assert status.last_good_revision is None
    assert truths(status) == {"Ready": True, "Reconciling": True, "Stalled": False, "Degraded": True}
    assert wanted_replicas(two, status) == 2


def test_giving_up_outlasts_one_of_two_pods_that_serves_on_its_way_out() -> None:
    two = replace(SUBJECT, replicas=2)
    halted = decided(exhausted(), subject=two)
    status = later(1, pod("ready"), previous=halted, subject=two)
    assert truths(status)["Stalled"]
    assert wanted_replicas(two, status) == 0


def test_a_good_revision_whose_spec_is_invalid_now_does_wait_for_an_edit() -> None:
    status = decided(pod("terminated"), previous=serving(), finding=INVALID)
    assert truths(status) == {"Ready": False, "Reconciling": False, "Stalled": True, "Degraded": False}


def test_an_older_revision_that_never_served_delays_nothing() -> None:
    status = decided(pod("back-off"), current("back-off", restarts=3), subject=edited())
    assert wanted_replicas(edited(), status) == 0


def test_a_pod_that_has_not_failed_as_often_keeps_all_of_them_and_one_that_never_started_does_not() -> None:
    two = replace(SUBJECT, replicas=2)
    for situation, replicas in (("running-again", 2), ("running", 2), ("unschedulable", 0)):
        assert wanted_replicas(two, decided(exhausted(), pod(situation, name="tiny-b"), subject=two)) == replicas


def test_older_pods_that_never_served_make_room() -> None:
    older, waiting = pod("running", **OLD), pod("unschedulable")
    assert makes_room(SUBJECT, NEW, facts(older, waiting))
    assert makes_room(SUBJECT, NEW, facts(older, refusal=Trouble("FailedCreate", "exceeded quota: few")))
    attached_elsewhere = Mounting(done=False, trouble=Trouble("FailedAttachVolume", "Multi-Attach error"))
    assert makes_room(SUBJECT, NEW, facts(older, pod("hanging", mounting=attached_elsewhere)))
    assert not makes_room(SUBJECT, NEW, facts(older, pod("hanging")))
    assert not makes_room(SUBJECT, NEW, facts(waiting))
    assert not makes_room(SUBJECT, NEW, facts(older, pod("pulling")))
    assert not makes_room(SUBJECT, NEW, facts(older, pod("gated")))
    assert not makes_room(SUBJECT, NEW, facts(pod("ready", **OLD), waiting))
    failed = pod("back-off", **OLD)
    assert makes_room(SUBJECT, NEW, facts(failed))
    assert makes_room(SUBJECT, NEW, facts(failed, pod("pulling")))
    assert not makes_room(SUBJECT, NEW, facts(failed, pod("ready")))
    assert not makes_room(SUBJECT, Status(last_good_revision="tiny-older"), facts(failed, pod("pulling")))
    assert not makes_room(SUBJECT, Status(last_good_revision="tiny-older"), facts(older, waiting))


def test_giving_up_outlasts_what_the_last_pod_says_on_its_way_out() -> None:
    halted = decided(exhausted())
    status = later(1, pod("oom-killed"), previous=halted)
    assert status.failure == halted.failure
    assert wanted_replicas(SUBJECT, status) == 0


def test_giving_up_outlasts_the_pods_and_the_operator() -> None:
    halted = decided(exhausted())
    gone = later(60, previous=Status.read(halted.to_dict()))
    assert wanted_replicas(SUBJECT, gone) == 0
    assert gone.failure == halted.failure
    assert gone.startup is None
    assert later(120, previous=gone) == gone


def test_any_edit_starts_again_with_a_clean_slate() -> None:
    halted = decided(exhausted())
    for subject in (replace(SUBJECT, generation=4), edited()):
        assert wanted_replicas(subject, halted) == 1
        again = later(60, previous=halted, subject=subject)
        assert (again.failure, again.phase) == (None, Phase.PENDING)
        assert wanted_replicas(subject, again) == 1


def test_an_edit_that_changes_no_pod_keeps_a_failure_that_was_not_given_up() -> None:
    failed = decided(pod("back-off"))
    scaled = replace(SUBJECT, generation=4, replicas=2)
    status = later(1, pod("scheduling", name="tiny-b"), previous=failed, subject=scaled)
    assert failure_of(status) is Reason.QUANTIZATION_MISSING_CONFIG


def test_the_note_of_giving_up_survives_a_message_of_any_length() -> None:
    report_ = report("dying", failure=replace(INVALID, reason=Reason.CONTEXT_TOO_LONG, message="x" * 9000))
    halted = decided(pod("running-again", restarts=3, report=report_))
    assert halted.failure
    assert halted.failure.message.endswith("starts it again.")
    assert later(9, previous=halted, subject=replace(SUBJECT, generation=4)).failure is None


# Nothing shall run

@pytest.mark.parametrize("previous", [NEW, serving(), decided(pod("back-off"))], ids=["new", "serving", "failed"])
def test_suspended_is_not_ready_and_waits_for_nobody(previous: Status) -> None:
    suspended = replace(SUBJECT, replicas=0)
    status = later(1, previous=previous, subject=suspended)
    assert status.phase is Phase.SUSPENDED
    assert truths(status) == {"Ready": False, "Reconciling": False, "Stalled": False, "Degraded": False}
    assert condition(status, "Ready").reason == "Suspended"
    assert (status.failure, status.startup) == (None, None)
    assert wanted_replicas(suspended, previous) == 0


def test_suspended_with_pods_that_still_drain_is_reconciling() -> None:
    status = decided(pod("ready"), previous=serving(), subject=replace(SUBJECT, replicas=0))
    assert status.phase is Phase.SUSPENDED
    assert truths(status) == {"Ready": False, "Reconciling": True, "Stalled": False, "Degraded": False}


# The spec itself

def test_an_invalid_spec_stalls_and_what_serves_goes_on() -> None:
    status = decided(pod("ready"), previous=serving(), subject=replace(SUBJECT, generation=4), finding=INVALID)
    assert status.phase is Phase.SERVING
    assert truths(status) == {"Ready": True, "Reconciling": False, "Stalled": True, "Degraded": True}
    assert condition(status, "Degraded").reason == "InvalidSpec"
    assert status.observed_generation == 4


def test_an_invalid_spec_from_the_beginning_has_failed() -> None:
    status = decided(finding=INVALID, subject=replace(SUBJECT, revision="", model=""))
    assert (status.phase, status.current_revision) == (Phase.FAILED, None)
    assert condition(status, "Ready").reason == "InvalidSpec"


def test_an_invalid_spec_of_something_suspended_has_failed_too() -> None:
    status = decided(finding=INVALID, subject=replace(SUBJECT, replicas=0))
    assert status.phase is Phase.FAILED
    assert condition(status, "Ready").reason == "InvalidSpec"


def test_an_invalid_spec_never_scales_to_zero() -> None:
    assert wanted_replicas(SUBJECT, decided(exhausted(), finding=INVALID)) == 1


def test_a_name_conflict_is_told_and_gone_when_it_is_gone() -> None:
    told = decided(finding=CONFLICT)
    assert failure_of(told) is Reason.NAME_CONFLICT
    assert truths(told)["Reconciling"]
    assert later(30, pod("scheduling"), previous=told).failure is None


@pytest.mark.parametrize("finding", [CONFLICT, INVALID])
def test_what_is_found_during_a_halt_does_not_end_it(finding: Finding) -> None:
    halted = decided(exhausted())
    found = decided(previous=halted, finding=finding)
    assert found.failure == halted.failure
    assert wanted_replicas(SUBJECT, found) == 0
    assert wanted_replicas(SUBJECT, later(30, previous=found)) == 0


# What keeps us from it

def test_a_child_that_the_api_server_does_not_take_is_told_beside_all_that_was_seen() -> None:
    seen = facts(pod("oom-killed"))
    status = decide(SUBJECT, NEW, seen, diagnose(seen), obstacle="create /api/v1/services: 500: a webhook failed")
    assert failure_of(status) is Reason.HOST_OUT_OF_MEMORY
    assert status.observed_generation == SUBJECT.generation
    reconciling = condition(status, "Reconciling")
    assert (reconciling.status, reconciling.reason) == ("True", "ApplyFailed")
    assert "500: a webhook failed" in reconciling.message


def test_what_serves_is_not_settled_while_a_child_is_not_taken() -> None:
    seen = facts(pod("ready"))
    assert truths(decide(SUBJECT, serving(), seen, None, obstacle="apply: 500")) == {
        "Ready": True, "Reconciling": True, "Stalled": False, "Degraded": False,
    }


# The engine

def test_the_engine_tells_what_it_serves() -> None:
    engine = serving().engine
    assert engine
    assert engine.to_dict() == {
        "version": "0.32.0", "maxModelLen": 4096, "kvCacheTokens": 65536, "maxConcurrency": "16.00",
        "dtype": "bfloat16", "notes": [],
    }


@pytest.mark.parametrize(("said", "told"), [
    ({"quantization": None}, "None"), ({"quantization": "awq"}, "awq"), ({"version": "0.32.0"}, None),
])
def test_a_plain_checkpoint_is_told_apart_from_one_of_which_nothing_is_known(
    said: dict[str, str | None], told: str | None,
) -> None:
    engine = decided(pod("ready", report=report("serving", engine=said))).engine
    assert engine
    assert engine.quantization == told


def test_what_an_engine_said_lasts_while_nobody_says_otherwise() -> None:
    served = serving()
    assert later(9, pod("ready"), previous=served).engine == served.engine
    assert later(9, pod("back-off"), previous=served).engine == served.engine
    rolling = later(9, pod("ready", **OLD), current("scheduling"), previous=served, subject=edited())
    assert rolling.engine == served.engine
    assert later(9, current("scheduling"), previous=served, subject=edited()).engine is None
    assert later(9, pod("ready", report=report("serving", engine={})), previous=served).engine == served.engine


def test_the_current_revisions_engine_is_believed_first() -> None:
    old = pod("ready", **OLD, report=report("announced"))
    new = pod("ready", report=report("serving"))
    engine = decided(old, new).engine
    assert engine
    assert engine.max_model_len == 4096


def test_a_missing_chat_template_degrades_an_engine_that_serves() -> None:
    status = decided(pod("ready", report=report("no chat template")))
    assert truths(status) == {"Ready": True, "Reconciling": False, "Stalled": False, "Degraded": True}
    assert condition(status, "Degraded").reason == "TokenizerError"
    assert "no chat template" in condition(status, "Degraded").message
    silent = later(60, pod("ready"), previous=status)
    assert condition(silent, "Degraded") == condition(status, "Degraded")
    assert not truths(later(60, pod("ready", report=report("serving")), previous=status))["Degraded"]
    assert not truths(later(60, previous=status))["Degraded"]


LESS = "INFO 01-02 03:04:05 [cache.py:1] Using fp8 data type to store kv cache. It reduces the GPU memory footprint"


def noted(*lines: str) -> dict[str, object]:
    """What the agent reports of an engine that has written these lines."""
    reader = LogReader()
    reader.feed("".join(f"{line}\n" for line in lines).encode(), 0.0)
    return reader.facts


def test_an_engine_that_does_less_than_was_asked_for_is_degraded() -> None:
    status = decided(pod("ready", report=report("serving", engine=noted(LESS))))
    degraded = condition(status, "Degraded")
    assert (degraded.status, degraded.reason) == ("True", "LessThanAskedFor")
    assert status.engine
    assert [degraded.message] == status.engine.notes
    silent = later(60, pod("ready"), previous=status)
    assert condition(silent, "Degraded") == degraded


@pytest.mark.parametrize("lines", [
    ["INFO 01-02 03:04:05 [x.py:1] non-default args: {'kv_cache_dtype': 'fp8'}", LESS],
    ["INFO 01-02 03:04:05 [x.py:1] Casting torch.float32 to torch.bfloat16."],
    ["INFO 01-02 03:04:05 [core.py:1] Auto-fit max_model_len: reduced from 131072 to 30000 to fit in memory"],
    ["INFO 01-02 03:04:05 [awq_marlin.py:1] Detected that the model can run with awq_marlin, however you specified "
     "quantization=awq explicitly, so forcing awq."],
])
def test_what_was_asked_for_or_costs_nothing_degrades_nothing(lines: list[str]) -> None:
    status = decided(pod("ready", report=report("serving", engine=noted(*lines))))
    assert not truths(status)["Degraded"]


# What is worth an Event

def reasons(previous: Status, status: Status) -> list[str]:
    return [note.reason for note in notes(previous, status)]


def test_every_transition_is_noted_once() -> None:
    new = decided()
    served = serving(previous=new)
    assert reasons(Status(), new) == ["RolloutStarted"]
    assert reasons(new, decided(pod("running"), previous=new)) == []
    assert reasons(new, served) == ["Serving"]
    assert reasons(served, served) == []
    suspended = later(1, previous=served, subject=replace(SUBJECT, replicas=0))
    assert reasons(served, suspended) == ["Suspended"]


def test_a_failure_is_noted_with_its_remedy_when_it_appears() -> None:
    new = decided()
    failed = decided(pod("back-off"), previous=new)
    assert notes(new, failed) == (Note(
        "Warning", "QuantizationMissingConfig", "Diagnose",
        "The checkpoint has no AWQ configuration. Set spec.engine.quantization to Auto.",
    ),)
    assert notes(failed, decided(pod("back-off", restarts=2), previous=failed)) == ()
    halted = decided(exhausted(), previous=failed)
    assert reasons(failed, halted) == ["ScaledToZero"]
    assert reasons(halted, later(9, previous=halted)) == []


def test_the_same_failure_of_another_revision_is_noted_again() -> None:
    failed = decided(pod("ready", **OLD), pod("back-off"))
    again = decided(pod("ready", **OLD), current("back-off"), previous=failed, subject=edited())
    assert reasons(failed, again) == ["RolloutStarted", "QuantizationMissingConfig"]


# Fits

REFUSAL = Finding(Reason.QUANTIZATION_MISSING_CONFIG, "AWQ is asked for.", "Set spec.engine.quantization to Auto.")
AMOUNTS = Amounts(weights=3, token=2, overhead=5, available=None, context=7, tokens=70)


def fitted(fit: Fit | None, *pods: PodFacts, previous: Status = NEW, subject: Subject = SUBJECT) -> Status:
    seen = replace(facts(*pods, revision=subject.revision_hash), fit=fit)
    finding = fit.finding if fit and fit.enforced else diagnose(seen)
    return decide(subject, previous, seen, finding)


@pytest.mark.parametrize(("generation", "message", "noted"), [
    (4, "AWQ is asked for twice.", ["QuantizationMissingConfig"]), (4, REFUSAL.message, []),
    (3, "AWQ is asked for twice.", []),
])
def test_an_edit_that_is_refused_for_the_same_reason_is_answered(
    generation: int, message: str, noted: list[str],
) -> None:
    first = fitted(Fit("False", "no", REFUSAL, enforced=True))
    again = Fit("False", message, replace(REFUSAL, message=message), enforced=True)
    seen = replace(facts(now=NOW + timedelta(seconds=9), revision=SUBJECT.revision_hash), fit=again)
    answer = decide(replace(SUBJECT, generation=generation), first, seen, again.finding)
    assert reasons(first, answer) == noted
    assert first.failure
    assert answer.failure
    assert (answer.failure.at != first.failure.at) == bool(noted), "which is what is counted"


@pytest.mark.parametrize(("fit", "status", "reason"), [
    (None, "Unknown", "InvalidSpec"),
    (Fit("True", "it fits"), "True", "Fits"),
    (Fit("Unknown", "the GPU is not known"), "Unknown", "NotKnown"),
    (Fit("False", "AWQ is asked for", REFUSAL), "False", "QuantizationMissingConfig"),
])
def test_whether_it_can_work_is_a_condition(fit: Fit | None, status: str, reason: str) -> None:
    told = condition(fitted(fit), "Fits")
    assert (told.status, told.reason) == (status, reason)
    assert told.message


def test_what_may_go_wrong_all_the_same_stands_in_the_condition() -> None:
    told = condition(fitted(Fit("True", "it fits", warnings=("it is close", "it is old"))), "Fits")
    assert (told.status, told.message) == ("True", "it fits; but note: it is close; it is old")


def test_what_was_computed_is_shown() -> None:
    assert fitted(Fit("True", "it fits")).sizing is None
    shown = fitted(Fit("True", "it fits", amounts=AMOUNTS)).sizing
    assert shown
    assert shown.to_dict() == {"weightsBytes": 3, "kvBytesPerToken": 2, "overheadBytes": 5, "maxModelLen": 7,
                               "kvCacheTokens": 70}


def test_what_was_read_is_shown_beside_the_terms_or_alone() -> None:
    alone = fitted(Fit("Unknown", "no formula", spec_hash="ab", read="{}")).sizing
    assert alone
    assert alone.to_dict() == {"specHash": "ab", "summary": "{}"}
    beside = fitted(Fit("True", "it fits", amounts=AMOUNTS, spec_hash="ab", read="{}")).sizing
    assert beside
    assert beside.to_dict().items() >= {"specHash": "ab", "summary": "{}", "weightsBytes": 3}.items()


def test_what_is_started_though_it_cannot_work_is_noted_once() -> None:
    warned = fitted(Fit("False", "AWQ is asked for", REFUSAL))
    assert reasons(NEW, warned)[0] == "AdmittedWithWarning"
    again = fitted(Fit("False", "AWQ is asked for", REFUSAL), previous=warned)
    assert "AdmittedWithWarning" not in reasons(warned, again)
    assert "AdmittedWithWarning" in reasons(warned, fitted(Fit("False", "GPTQ is asked for", REFUSAL), previous=warned))
    refused = fitted(Fit("False", "AWQ is asked for", REFUSAL, enforced=True))
    assert "AdmittedWithWarning" not in reasons(NEW, refused)
    insisted = fitted(Fit("False", "AWQ is asked for", REFUSAL), previous=refused)
    assert "AdmittedWithWarning" in reasons(refused, insisted)


READING = Fit("Unknown", "the model's files are being read", pending=True)


@pytest.mark.parametrize("before", [
    pytest.param(serving(), id="serving"),
    pytest.param(decided(exhausted(), previous=decided(pod("back-off"))), id="halted"),
    pytest.param(fitted(Fit("False", "no", REFUSAL, enforced=True)), id="refused"),
])
def test_while_the_model_of_a_new_spec_is_read_nothing_is_said_of_the_one_before(before: Status) -> None:
    subject = replace(SUBJECT, generation=SUBJECT.generation + 1)
    pods = [pod("ready", report=report("serving"))] if truths(before)["Ready"] else [pod("back-off")]
    seen = replace(facts(*pods, revision=""), fit=READING)
    status = decide(subject, before, seen, None)
    assert status.failure is None
    reconciling = condition(status, "Reconciling")
    assert (reconciling.status, reconciling.reason) == ("True", "ReadingModel")
    assert truths(status) == {
        "Ready": truths(before)["Ready"], "Reconciling": True, "Stalled": False, "Degraded": False}
    assert status.current_revision == before.current_revision
    assert decide(subject, status, seen, None) == status


def test_a_refused_spec_waits_for_an_edit_though_what_is_there_has_served() -> None:
    before = serving()
    status = fitted(Fit("False", "no", REFUSAL, enforced=True), pod("ready", report=report("serving")), previous=before)
    assert truths(status) == {"Ready": True, "Reconciling": False, "Stalled": True, "Degraded": True}
    assert failure_of(status) is Reason.QUANTIZATION_MISSING_CONFIG
    assert status.current_revision == before.current_revision
    assert fitted(Fit("True", "yes"), pod("ready", report=report("serving")), previous=status).failure is None


def test_a_refusal_is_not_carried_into_the_next_start() -> None:
    refused = fitted(Fit("False", "no", REFUSAL, enforced=True))
    assert refused.failure
    assert fitted(Fit("True", "yes"), pod("running", report=report("loading")), previous=refused).failure is None


def test_what_is_only_warned_of_is_no_failure() -> None:
    status = fitted(Fit("False", "no", REFUSAL), pod("running", report=report("loading")))
    assert (status.failure, truths(status)["Stalled"]) == (None, False)
