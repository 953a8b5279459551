"""Kubernetes' own words, as they are in data/seen/words.yaml, become a sentence, a remedy and, where safe, a fix."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from deepseekserve.agent.reasons import Reason
from deepseekserve.diagnose import GRACE_S, diagnose
from deepseekserve.facts import Facts, Finding, Fix, Mounting, Trouble
from tests.unit.seen import LONG_AGO, NOW, Words, facts, pod, said_of, words

REASONS = {
    "scheduler": Reason.UNSCHEDULABLE, "images": Reason.IMAGE_PULL_FAILED, "containers": Reason.CONTAINER_CONFIG_ERROR,
    "volumes": Reason.VOLUME_MOUNT_FAILED, "evictions": Reason.EVICTED, "refusals": Reason.ADMISSION_REFUSED,
}


def found_in(seen: Facts) -> Finding:
    found = diagnose(seen)
    assert found
    return found


@pytest.mark.parametrize(
    ("about", "said"), [pytest.param(about, said, id=said["source"]) for about in REASONS for said in words(about)])
def test_what_kubernetes_says_becomes_a_sentence_and_a_remedy(about: str, said: Words) -> None:
    found = found_in(said_of(about, said))
    assert found.reason is Reason(said.get("reason", REASONS[about]))
    assert said["message"] in found.message
    assert said["remedy"] in found.remedy


# No node

def waiting(message: str) -> Facts:
    return said_of("scheduler", {"says": message})


def untolerated(taint: str, more: str = "") -> tuple[Fix, ...]:
    found = found_in(waiting(f"0/2 nodes are available: 1 node(s) had untolerated taint {{{taint}}}{more}."))
    return found.fixes


def test_a_toleration_is_a_fix_where_the_taint_marks_the_devices_that_the_pod_asks_for() -> None:
    (fix,) = untolerated("nvidia.com/gpu: present", ", 1 Insufficient nvidia.com/gpu")
    assert fix.field == "spec.scheduling.tolerations"
    assert json.loads(fix.value) == [
        {"key": "team", "operator": "Equal", "value": "ml"},
        {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present"},
    ]


def test_a_toleration_of_the_users_own_stays_in_the_fix() -> None:
    soon = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}
    seen = waiting("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: }.")
    asks = replace(seen.pods[0].asks, tolerations=(soon,))
    found = found_in(facts(replace(seen.pods[0], asks=asks)))
    assert json.loads(found.fixes[0].value) == [soon, {"key": "gpu", "operator": "Exists"}]


def test_a_toleration_is_a_fix_where_all_nodes_have_the_taint() -> None:
    found = found_in(waiting("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: }."))
    assert json.loads(found.fixes[0].value)[-1] == {"key": "gpu", "operator": "Exists"}


def test_a_toleration_that_may_not_help_or_that_the_cluster_needs_is_no_fix() -> None:
    assert untolerated("dedicated: database", ", 1 Insufficient nvidia.com/gpu") == ()
    assert untolerated("nvidia.com/gpu: present", ", 1 node(s) had untolerated taint {c: d}") == ()
    for key in ("node-role.kubernetes.io/control-plane", "node.kubernetes.io/not-ready"):
        found = found_in(waiting(f"0/1 nodes are available: 1 node(s) had untolerated taint {{{key}: }}."))
        assert found.fixes == ()


def test_a_taint_in_another_schedulers_words_has_no_fix() -> None:
    taint = "node(s) had untolerated taint {nvidia.com/gpu: yes}"
    assert found_in(waiting(f"0/1 nodes are unavailable: 1 {taint}")).fixes == ()


def test_a_toleration_that_a_status_has_no_room_for_is_no_fix() -> None:
    assert untolerated(f"nvidia.com/gpu: {'x' * 5000}") == ()


def test_a_pod_that_asks_for_nothing_and_has_no_claim_is_told_of_as_such() -> None:
    plain = pod("unschedulable").unscheduled
    assert plain
    for message, told in (
        ("0/1 nodes are available: 1 Insufficient memory.", "No node can run the pod: the only node has too little"),
        ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", "the claim of the pod has no"),
        ("0/2 nodes are available: 1 Insufficient hugepages-2Mi, 1 Insufficient cpu.", "1 has too few hugepages-2Mi"),
    ):
        found = found_in(facts(pod("unschedulable", unscheduled=replace(plain, message=message))))
        assert told in found.message


# No image, no Secret

@pytest.mark.parametrize("said", words("images"), ids=lambda said: str(said["source"]))
def test_the_words_of_a_pull_that_failed_are_kept(said: Words) -> None:
    assert said["says"] in found_in(said_of("images", said)).message


def test_an_image_of_the_kubelets_next_attempt_reads_the_same() -> None:
    for said in words("images"):
        reason = said.get("waits", "ErrImagePull")
        attempts = (reason, said["says"]), ("ImagePullBackOff", f'Back-off pulling image "x": {reason}: {said["says"]}')
        one, two = (diagnose(facts(pod("hanging", waiting=Trouble(*attempt)))) for attempt in attempts)
        assert one == two


def test_a_secret_that_two_fields_ask_for_is_told_with_both() -> None:
    hanging = pod("hanging")
    asks = replace(hanging.asks, references=tuple(replace(each, name="one") for each in hanging.asks.references[:2]))
    waits = Trouble("CreateContainerConfigError", 'secret "one" not found')
    found = found_in(facts(replace(hanging, asks=asks, waiting=waits)))
    assert "spec.engine.env) and spec.access.apiKeySecretRef" in found.message
    assert "Create the Secret one with the key api and token" in found.remedy


# No volume

def stuck(trouble: Trouble | None, **changes: object) -> Facts:
    return facts(pod("hanging", mounting=Mounting(done=False, trouble=trouble), **changes))


def test_a_volume_is_a_finding_only_after_a_while_and_while_the_pod_hangs() -> None:
    trouble = Trouble("FailedMount", 'MountVolume.SetUp failed for volume "a" : no', LONG_AGO)
    assert diagnose(stuck(replace(trouble, since=(NOW - timedelta(seconds=GRACE_S - 1)).isoformat()))) is None
    assert diagnose(stuck(None)) is None
    assert diagnose(stuck(trouble, running=True, waiting=None)) is None
    assert diagnose(stuck(trouble))


def test_a_volume_that_the_pod_before_has_not_let_go_of_yet_is_no_finding() -> None:
    message = 'Multi-Attach error for volume "a" Volume is already used by pod(s) b'
    trouble = Trouble("FailedAttachVolume", message, LONG_AGO)
    seen = stuck(trouble)
    assert diagnose(replace(seen, pods=(pod("ready", deleting=True), *seen.pods))) is None


def test_a_volume_without_a_name_and_without_a_claim_is_told_too() -> None:
    trouble = Trouble("FailedMount", "something that no release has said yet", LONG_AGO)
    seen = facts(pod("pulling", neighbours=(), mounting=Mounting(done=False, trouble=trouble)))
    found = found_in(seen)
    assert found.message == "The kubelet cannot mount a volume: something that no release has said yet"
    assert "the claim of spec.podTemplate" in found.remedy


# Taken away

def test_a_pod_that_is_drained_is_told_while_it_ends_and_one_that_is_only_marked_is_not() -> None:
    found = found_in(facts(pod("draining")))
    assert (found.reason, found.at) == (Reason.EVICTED, "2026-11-24T12:02:00Z")
    assert diagnose(facts(pod("draining", deleting=False))) is None


# Killed

def test_a_container_without_a_limit_that_was_out_of_memory_was_out_of_the_nodes() -> None:
    killed = pod("oom-killed")
    found = found_in(facts(killed))
    assert "it has no limit, so the node itself had no memory left" in found.message
    found = found_in(facts(replace(killed, asks=pod("hanging").asks)))
    assert "it needed more memory than its limit, 16Gi" in found.message
