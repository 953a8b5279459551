"""Why the current revision does not serve, from what its pods and its Deployment show; and how far a start has come."""

from dataclasses import replace
from datetime import timedelta

import pytest

from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.diagnose import GRACE_S, diagnose, progress
from deepseekserve.diagnose.progress import rank
from deepseekserve.facts import Fix, parse_refusal
from tests.unit.seen import HASH, NOW, deployment, facts, pod, report

# Nothing wrong

@pytest.mark.parametrize(
    "situation", ["scheduling", "pulling", "running", "ready", "ready-after-a-restart", "gated", "stopped"],
)
def test_a_pod_on_its_way_or_serving_is_no_finding(situation: str) -> None:
    assert diagnose(facts(pod(situation))) is None


def test_no_pod_at_all_is_no_finding() -> None:
    assert diagnose(facts()) is None


def test_trouble_of_another_revision_or_of_a_deleted_pod_is_no_finding() -> None:
    assert diagnose(facts(pod("back-off", revision="older"))) is None
    assert diagnose(facts(pod("back-off", deleting=True))) is None
    assert diagnose(facts(pod("evicted", revision="older"), pod("node-lost", revision="older"))) is None


# The engine

def test_a_failure_that_the_agent_reports_is_found_before_the_engine_has_ended() -> None:
    found = diagnose(facts(pod("running", report=report("dying"))))
    assert found
    assert (found.reason, found.pod, found.at) == (Reason.CORRUPT_MODEL, "tiny-abc", "2026-11-24T12:02:29.25Z")
    assert found.remedy == "Copy it again."
    assert "SafetensorError" in found.log_excerpt


def test_a_report_without_a_failure_is_no_finding() -> None:
    assert diagnose(facts(pod("running", report=report("loading")))) is None


def test_the_report_of_a_container_that_has_ended_counts_no_more() -> None:
    found = diagnose(facts(pod("back-off", report=report("dying"))))
    assert found
    assert found.reason is Reason.QUANTIZATION_MISSING_CONFIG


@pytest.mark.parametrize("situation", ["terminated", "back-off", "running-again"])
def test_the_termination_message_is_found_until_the_pod_is_ready(situation: str) -> None:
    found = diagnose(facts(pod(situation)))
    assert found
    assert found.reason is Reason.QUANTIZATION_MISSING_CONFIG
    assert found.fixes == (Fix("spec.engine.quantization", "Auto", "as the checkpoint says"),)
    assert found.at == "2026-11-24T12:00:58.5Z"


def test_an_end_after_which_the_pod_was_ready_again_is_history() -> None:
    assert diagnose(facts(pod("unready-after-a-restart"))) is None


def test_an_agent_that_was_killed_leaves_the_end_of_the_log_to_be_read() -> None:
    found = diagnose(facts(pod("killed-with-a-log")))
    assert found
    assert found.reason is Reason.INVALID_ARGUMENT
    assert "--max-num-seqz" in found.message + found.remedy
    assert "unrecognized arguments" in found.log_excerpt
    assert found.at == "2026-11-24T12:01:00Z"


def test_an_end_without_a_word_is_unknown_with_its_code() -> None:
    found = diagnose(facts(pod("killed-without-a-word")))
    assert found
    assert found.reason is Reason.UNKNOWN
    assert "exit code 1" in found.message
    assert "kubectl logs tiny-abc --previous" in found.remedy, "the command names the pod"


def test_an_end_that_the_reader_takes_for_asked_for_is_unknown_with_its_code() -> None:
    ended = pod("killed-without-a-word").ended
    assert ended
    found = diagnose(facts(pod("killed-without-a-word", ended=replace(ended, code=137))))
    assert found
    assert found.reason is Reason.UNKNOWN
    assert "9" in found.message


def test_a_container_that_the_kernel_killed_is_out_of_host_memory() -> None:
    found = diagnose(facts(pod("oom-killed")))
    assert found
    assert found.reason is Reason.HOST_OUT_OF_MEMORY
    assert "spec.resources.memory" in found.remedy
    assert found.at == "2026-11-24T12:01:00Z"


def test_the_kernels_word_wins_over_a_vague_one_of_the_agent_and_keeps_its_lines() -> None:
    found = diagnose(facts(pod("oom-killed-with-a-report")))
    assert found
    assert (found.reason, found.log_excerpt) == (Reason.HOST_OUT_OF_MEMORY, "EngineCore: -9")


def test_of_two_failing_pods_the_one_that_only_an_edit_can_cure_is_told() -> None:
    passing, lasting = pod("oom-killed", name="a"), pod("back-off", name="b")
    for order in ((passing, lasting), (lasting, passing)):
        found = diagnose(facts(*order))
        assert found
        assert found.pod == "b"


# Kubernetes

def test_a_missing_secret_is_named() -> None:
    found = diagnose(facts(pod("running", name="fine"), pod("config-error")))
    assert found
    assert found.reason is Reason.CONTAINER_CONFIG_ERROR
    assert 'secret "hf" not found' in found.message
    assert "spec.engine.env" in found.remedy


def test_an_image_that_cannot_be_pulled_reads_the_same_during_the_attempt_and_between_two() -> None:
    trying, waiting = diagnose(facts(pod("image-error"))), diagnose(facts(pod("image-back-off")))
    assert trying
    assert trying.reason is Reason.IMAGE_PULL_FAILED
    assert "docker.io/vllm/nothing:1" in trying.message
    assert trying == waiting


def test_an_image_name_that_cannot_be_one_is_said_in_kubernetes_word() -> None:
    found = diagnose(facts(pod("image-name")))
    assert found
    assert "InvalidImageName" in found.message


def test_an_image_of_another_container_is_told_with_its_name_and_the_field_it_comes_from() -> None:
    found = diagnose(facts(pod("neighbour-image-error")))
    assert found
    assert found.reason is Reason.IMAGE_PULL_FAILED
    assert found.message.startswith("The kubelet cannot pull the image of the container warm-up: ")
    assert "in spec.podTemplate" in found.remedy


def test_a_container_that_keeps_ending_before_the_engine_runs_is_told_with_its_own_words() -> None:
    found = diagnose(facts(pod("neighbour-fails")))
    assert found
    assert found.reason is Reason.UNKNOWN
    assert "warm-up of spec.podTemplate keeps ending, with exit code 7; its log ends with: no such" in found.message
    assert "--container=warm-up" in found.remedy
    (neighbour,) = pod("neighbour-fails").neighbours
    assert neighbour.ended
    silent = replace(neighbour, ended=replace(neighbour.ended, message=""))
    found = diagnose(facts(pod("neighbour-fails", neighbours=(silent,))))
    assert found
    assert found.message.endswith("with exit code 7")


def test_an_engine_in_back_off_is_not_taken_for_a_container_beside_it() -> None:
    found = diagnose(facts(pod("back-off")))
    assert found
    assert "spec.podTemplate" not in found.message


def test_a_quota_that_is_exceeded_is_told_without_the_name_of_the_pod_that_never_was() -> None:
    found = diagnose(facts(refusal=parse_refusal(deployment(), HASH)))
    assert found
    assert found.reason is Reason.QUOTA_EXCEEDED
    assert "quota small refuses the pod: the pod asks for limits.memory=4Gi, and 0 of 1Gi are used" in found.message
    assert "x2x4z" not in found.message
    assert found.at == "2026-11-24T12:00:02Z"


def test_pod_security_that_refuses_the_pod_is_admission() -> None:
    quota = parse_refusal(deployment(), HASH)
    assert quota
    message = 'pods "tiny-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
    found = diagnose(facts(refusal=replace(quota, message=message)))
    assert found
    assert found.reason is Reason.ADMISSION_REFUSED
    assert found.message.endswith("the namespace's level is restricted: runAsNonRoot != true")


def test_a_limit_range_is_a_quota() -> None:
    quota = parse_refusal(deployment(), HASH)
    assert quota
    message = 'pods "tiny-x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 4Gi'
    found = diagnose(facts(refusal=replace(quota, message=message)))
    assert found
    assert found.reason is Reason.QUOTA_EXCEEDED


def test_a_pod_without_a_node_is_a_finding_only_after_a_while() -> None:
    since = NOW - timedelta(seconds=GRACE_S)
    trouble = pod("unschedulable").unscheduled
    assert trouble
    fresh = replace(trouble, since=(since + timedelta(seconds=1)).isoformat())
    stale = replace(trouble, since=since.isoformat())
    assert diagnose(facts(pod("unschedulable", unscheduled=fresh))) is None
    found = diagnose(facts(pod("unschedulable", unscheduled=stale)))
    assert found
    assert found.reason is Reason.UNSCHEDULABLE
    assert "too few nvidia.com/gpu" in found.message


def test_a_pod_waits_without_a_finding_while_its_predecessor_makes_room() -> None:
    assert diagnose(facts(pod("ready", deleting=True), pod("unschedulable"))) is None


def test_an_evicted_pod_is_told_while_its_successor_starts_and_not_for_ever() -> None:
    evicted, successor = pod("evicted", name="old"), pod("scheduling", name="new")
    found = diagnose(facts(evicted, successor))
    assert found
    assert (found.reason, found.pod, found.at) == (Reason.EVICTED, "old", "2026-11-24T12:02:00Z")
    assert "low on memory" in found.message
    assert diagnose(facts(evicted, successor, now=NOW + timedelta(hours=1))) is None
    assert diagnose(facts(pod("finished"))) is None


def test_a_lost_node_is_told() -> None:
    found = diagnose(facts(pod("node-lost")))
    assert found
    assert found.reason is Reason.NODE_LOST
    assert "node1" in found.message


# Progress

@pytest.mark.parametrize(("situation", "phase"), [
    ("scheduling", Phase.SCHEDULING), ("unschedulable", Phase.SCHEDULING), ("pulling", Phase.PULLING),
    ("image-back-off", Phase.PULLING), ("running", Phase.STARTING), ("back-off", Phase.STARTING),
])
def test_kubernetes_tells_the_phase_until_the_agent_does(situation: str, phase: Phase) -> None:
    stands = progress(pod(situation), NOW)
    assert (stands.phase, stands.percent, stands.ready_at) == (phase, 0, None)


def test_the_next_start_of_a_container_counts_from_the_end_of_the_last() -> None:
    assert progress(pod("back-off"), NOW).since == "2026-11-24T12:01:00Z"
    assert progress(pod("running"), NOW).since == ""


def test_the_agent_tells_phase_percent_and_the_time_that_is_left() -> None:
    stands = progress(pod("running", report=report("loading")), NOW)
    assert (stands.phase, stands.percent, stands.since) == (Phase.LOADING_WEIGHTS, 37, "2026-11-24T12:00:20Z")
    assert stands.ready_at == NOW + timedelta(seconds=42.5)
    assert progress(pod("running", report=report("starting")), NOW).ready_at is None


def test_a_start_that_has_failed_will_not_be_ready() -> None:
    assert progress(pod("running", report=report("dying")), NOW).ready_at is None


def test_an_agent_that_names_no_known_phase_says_nothing() -> None:
    assert progress(pod("running", report=report("of a later agent")), NOW).phase is Phase.STARTING


def test_an_engine_that_announces_itself_is_almost_there() -> None:
    stands = progress(pod("running", report=report("announced")), NOW)
    assert (stands.phase, stands.percent) == (Phase.SERVING, 95)


def test_phases_have_ranks_and_the_engines_download_comes_after_its_start() -> None:
    assert rank(Phase.PENDING) < rank(Phase.SCHEDULING) < rank(Phase.PULLING) < rank(Phase.STARTING)
    assert rank(Phase.STARTING) < rank(Phase.DOWNLOADING) < rank(Phase.LOADING_WEIGHTS) < rank(Phase.SERVING)
    assert rank(Phase.FAILED) == -1
