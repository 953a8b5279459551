"""What is read of raw pods, Deployments and agents' reports."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.facts import (
    Asks,
    Fix,
    Mounting,
    Reference,
    Trouble,
    parse_events,
    parse_message,
    parse_pod,
    parse_refusal,
    parse_report,
)
from deepseekserve.facts.moments import micro_time, moment, rfc3339, seconds_since
from tests.unit.seen import HASH, NOW, deployment, events, facts, pod, raw_pod, raw_report, report

# Pods

def test_a_pod_that_nobody_has_looked_at_yet_is_starting_and_not_scheduled() -> None:
    new = pod("scheduling")
    assert (new.name, new.uid, new.revision, new.created) == ("tiny-abc", "pod-uid-1", HASH, "2026-11-24T12:00:00Z")
    assert new.starting
    assert not any((new.scheduled, new.running, new.ready, new.answers, new.restarts))
    assert new.unscheduled is None
    assert new.ended is None


def test_what_the_scheduler_says_is_kept_with_its_time() -> None:
    trouble = pod("unschedulable").unscheduled
    assert trouble
    assert trouble.reason == "Unschedulable"
    assert "Insufficient nvidia.com/gpu" in trouble.message
    assert trouble.since == "2026-11-24T12:00:00Z"


def test_only_the_engines_container_counts() -> None:
    waiting = pod("pulling")
    assert waiting.scheduled
    assert not waiting.running
    assert waiting.waiting == Trouble("ContainerCreating", "")


def test_a_running_container_with_an_address_can_be_asked() -> None:
    assert pod("running").answers
    assert not pod("running", ip="").answers
    assert not pod("back-off").answers


def test_a_ready_pod_is_alive_and_not_starting() -> None:
    assert pod("ready").alive
    assert not pod("ready").starting


def test_a_pod_that_is_deleted_or_finished_is_not_alive() -> None:
    deleted = raw_pod("ready")
    deleted["metadata"]["deletionTimestamp"] = "2026-11-24T12:01:00Z"
    assert not parse_pod(deleted).alive
    assert not pod("evicted").alive
    assert pod("finished").over == Trouble("Succeeded", "", "")
    assert pod("evicted").over == Trouble("Evicted", "The node was low on resource: memory.", "2026-11-24T12:02:00Z")


def test_a_termination_message_is_the_agents_report() -> None:
    for situation in ("back-off", "terminated", "running-again"):
        ended = pod(situation).ended
        assert ended
        assert ended.code == 1
        assert ended.report
        failure = ended.report.failure
        assert failure
        assert failure.reason is Reason.QUANTIZATION_MISSING_CONFIG
        assert failure.fixes == (Fix("spec.engine.quantization", "Auto", "as the checkpoint says"),)


def test_a_termination_message_that_is_a_log_is_no_report() -> None:
    ended = pod("killed-with-a-log").ended
    assert ended
    assert ended.report is None
    assert "unrecognized arguments" in ended.message


def test_a_pod_without_labels_belongs_to_no_revision() -> None:
    raw = raw_pod("ready")
    del raw["metadata"]["labels"]
    assert parse_pod(raw).revision == ""


def test_a_pod_hangs_while_it_has_a_node_and_no_container_of_it_has_been_made() -> None:
    assert pod("hanging").hangs
    for situation in ("scheduling", "unschedulable", "pulling", "image-back-off", "running", "ready", "back-off"):
        assert not pod(situation).hangs


def test_what_a_pod_asks_for_is_read_with_the_fields_that_ask_for_it() -> None:
    asks = pod("hanging").asks
    assert asks.amounts == (("nvidia.com/gpu", "2"), ("memory", "16Gi"), ("cpu", "4"))
    assert (asks.memory_limit, asks.claims) == ("16Gi", ("models",))
    assert asks.built_in == {"agent", "certs", "both", "cache"}
    assert [toleration["key"] for toleration in asks.tolerations] == ["node.kubernetes.io/not-ready", "team"]
    assert asks.references == (
        Reference("Secret", "hf", "spec.model.tokenSecretRef (or HF_TOKEN in spec.engine.env)", key="token"),
        Reference("Secret", "keys", "spec.access.apiKeySecretRef", key="api"),
        Reference("ConfigMap", "proxy", "PROXY in spec.engine.env or spec.podTemplate", key="url"),
        Reference("Secret", "sidecar", "spec.podTemplate"),
        Reference("Secret", "certs", "spec.podTemplate", volume="certs"),
        Reference("Secret", "certs-2", "spec.podTemplate", volume="both"),
        Reference("ConfigMap", "settings", "spec.podTemplate", volume="both"),
        Reference("ConfigMap", "more", "spec.podTemplate", volume="both"),
    )
    assert pod("ready").asks == Asks()


def test_who_ends_a_pod_is_kept_with_the_time() -> None:
    assert pod("draining").disrupted == Trouble(
        "EvictionByEvictionAPI", "Eviction API: evicting", "2026-11-24T12:02:00Z")
    assert pod("ready").disrupted is None


# Events

@pytest.mark.parametrize(("situation", "words"), [
    ("secret-missing", 'secret "certs" not found'),
    ("both", 'secret "certs" not found'),
    ("timed-out", "Unable to attach or mount volumes"),
    ("in-use", "Multi-Attach error"),
    ("another-attached", "Multi-Attach error"),
    ("combined", "MountVolume.SetUp failed"),
    ("again-after-a-restart-of-the-node", 'secret "certs" not found'),
    ("one-mended-of-two", 'secret "other" not found'),
    ("one-missing-of-two-read-late", 'secret "certs" not found'),
    ("said-once", "Unable to attach or mount volumes"),
    ("heard-seldom", 'secret "certs" not found'),
    ("heard-in-turns", 'secret "certs" not found'),
    ("another-cause-by-now", "mount failed"),
    ("another-scope-each-time", "run-r1.scope"),
])
def test_events_tell_what_keeps_a_volume_from_being_mounted(situation: str, words: str) -> None:
    mounting = parse_events(events(situation), NOW)
    assert mounting.trouble
    assert words in mounting.trouble.message
    assert "combined" not in mounting.trouble.message
    assert mounting.trouble.since.startswith("2026-11-24T1")
    assert not mounting.done


def test_a_volume_is_no_trouble_any_more_once_something_later_has_happened() -> None:
    assert parse_events(events("mended"), NOW) == Mounting(done=True, trouble=None)
    assert parse_events(events("attached-at-last"), NOW) == Mounting(done=False, trouble=None)
    assert parse_events(events("slow-by-now"), NOW) == Mounting(done=False, trouble=None)
    assert parse_events([], NOW) == Mounting(done=False, trouble=None)


def test_events_without_times_or_words_are_read_too() -> None:
    assert parse_events([{}], NOW) == Mounting(done=False, trouble=None)
    assert parse_events([{"reason": "FailedMount"}], NOW) == Mounting(done=False, trouble=None)


# Reports

def test_a_report_tells_phase_percent_and_time() -> None:
    loading = report("loading")
    assert loading.phase is Phase.LOADING_WEIGHTS
    assert (loading.percent, loading.expected_seconds, loading.ready) == (37, 42.5, False)
    assert loading.phase_since == "2026-11-24T12:00:20Z"
    assert loading.engine == {"version": "0.32.0"}
    assert loading.failure is None


def test_what_a_later_agent_says_is_understood_as_far_as_it_can_be() -> None:
    later = report("of a later agent")
    assert (later.phase, later.percent, later.phase_since, later.expected_seconds) == (None, 0, "", None)
    assert (later.ready, later.engine, later.degraded) == (False, {}, "")
    assert later.failure
    assert later.failure.reason is Reason.UNKNOWN
    assert later.failure.message == "A bit flipped."
    assert later.failure.fixes == (Fix("spec.x", "", ""),)
    other = report("of a later agent, with other fixes")
    assert other.failure
    assert other.failure.fixes == ()


def test_a_report_tells_the_phases_passed_and_leaves_out_what_is_none() -> None:
    passed = [{"phase": "Starting", "since": "2026-11-24T12:00:02Z"}, {"phase": "Dreaming", "since": "x"}, {}, 7]
    read = parse_report(raw_report("loading") | {"phases": passed})
    assert read
    assert read.phases == ((Phase.STARTING, "2026-11-24T12:00:02Z"),)
    for other in (raw_report("loading"), raw_report("loading") | {"phases": "Starting"}):
        read = parse_report(other)
        assert read
        assert read.phases == ()


@pytest.mark.parametrize("raw", [None, [], "text", {}, raw_report("in another form")])
def test_what_is_not_a_report_is_none(raw: Any) -> None:
    assert parse_report(raw) is None
    assert parse_message(json.dumps(raw)) is None


@pytest.mark.parametrize(("said", "read"), [(-5, 0), (250, 100), (99, 99)])
def test_a_percent_outside_of_its_bounds_is_brought_inside(said: int, read: int) -> None:
    found = parse_report({"schema": 1, "percent": said})
    assert found
    assert found.percent == read


# Deployments

def test_a_deployment_that_cannot_create_pods_says_why() -> None:
    refusal = parse_refusal(deployment(), HASH)
    assert refusal
    assert refusal.reason == "FailedCreate"
    assert "exceeded quota" in refusal.message
    assert refusal.since == "2026-11-24T12:00:02Z"


def test_the_refusal_of_another_revision_or_generation_is_not_ours() -> None:
    older = dict(deployment())
    older["status"] = {**older["status"], "observedGeneration": 2}
    assert parse_refusal(older, HASH) is None
    assert parse_refusal(deployment(), "another") is None
    assert parse_refusal(None, HASH) is None


def test_a_deployment_that_creates_its_pods_has_no_refusal() -> None:
    fine = dict(deployment())
    fine["status"] = {"observedGeneration": 3, "conditions": [{"type": "ReplicaFailure", "status": "False"}]}
    assert parse_refusal(fine, HASH) is None


# All of it

def test_pods_are_told_apart_by_revision_and_state() -> None:
    old, new, gone = pod("ready", name="old", revision="older"), pod("running", name="new"), pod("evicted", name="gone")
    seen = facts(old, new, gone)
    assert [p.name for p in seen.alive] == ["old", "new"]
    assert [p.name for p in seen.ready] == ["old"]
    assert [p.name for p in seen.current] == ["new"]
    assert [p.name for p in seen.starting] == ["new"]


def test_a_server_that_lapsed_is_told_apart_from_one_that_has_not_served_yet() -> None:
    lapsed, deleted = pod("unready-after-a-restart"), pod("unready-after-a-restart", deleting=True)
    assert facts(lapsed, deleted, pod("running-again"), pod("ready")).lapsed == (lapsed,)


# Times

def test_times_are_read_with_and_without_fractions_and_written_in_whole_seconds() -> None:
    assert moment("2026-11-24T12:00:00Z") == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert moment("2026-11-24T12:00:00") == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert moment("2026-11-24T13:00:00.25+01:00") == datetime(2026, 11, 24, 12, 0, 0, 250000, tzinfo=UTC)
    assert rfc3339(datetime(2026, 11, 24, 12, 0, 0, 999999, tzinfo=UTC)) == "2026-11-24T12:00:00Z"
    assert moment("") is None


def test_leases_and_events_want_microseconds() -> None:
    assert micro_time(datetime.fromisoformat("2026-11-24T13:00:00.25+01:00")) == "2026-11-24T12:00:00.250000Z"
    assert micro_time(datetime(2026, 11, 24, 12, tzinfo=UTC)) == "2026-11-24T12:00:00.000000Z"


def test_an_age_is_in_seconds_or_unknown() -> None:
    assert seconds_since("2026-11-24T12:02:00Z", NOW) == 30
    assert seconds_since("", NOW) is None
