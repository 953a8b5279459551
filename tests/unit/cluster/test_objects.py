"""What the cluster writes for Kubernetes: nodes made of air, static volumes; and what it reads of a node."""

import pytest

from tests.cluster.errors import ClusterError
from tests.cluster.extras import FAKE, as_fake
from tests.cluster.nodeview import is_ready, is_stale, is_true
from tests.cluster.volumes import static_volume

SINCE = 1_800_000_000.5      # 2027-01-15T08:00:00.5Z
BEFORE, AFTER = "2027-01-15T07:59:59Z", "2027-01-15T08:00:00Z"


def test_a_node_made_of_air_is_marked_and_tainted() -> None:
    metadata = {"name": "t4", "labels": {"gpu": "T4"}}
    node = as_fake({"kind": "Node", "metadata": metadata, "status": {"capacity": {"cpu": "8"}}})
    assert node["metadata"]["annotations"] == {FAKE: "fake"}
    assert node["metadata"]["labels"] == {"kubernetes.io/hostname": "t4", "type": "kwok", "gpu": "T4"}
    assert node["spec"]["taints"] == [{"key": FAKE, "value": "fake", "effect": "NoSchedule"}]
    assert node["status"]["allocatable"] == {"cpu": "8"}


def test_a_node_made_of_air_keeps_what_its_file_says() -> None:
    taint = {"key": "gpu", "effect": "NoExecute"}
    given = {
        "kind": "Node",
        "metadata": {"name": "x", "annotations": {"a": "b"}},
        "spec": {"taints": [taint]},
        "status": {"capacity": {"cpu": "8"}, "allocatable": {"cpu": "7"}},
    }
    node = as_fake(given)
    assert node["metadata"]["annotations"]["a"] == "b"
    assert taint in node["spec"]["taints"]
    assert node["status"]["allocatable"] == {"cpu": "7"}
    assert as_fake(node) == node
    assert given["spec"] == {"taints": [taint]}


def test_anything_but_a_node_is_refused() -> None:
    with pytest.raises(ClusterError, match="expected objects of kind Node, found Pod"):
        as_fake({"kind": "Pod", "metadata": {"name": "x"}})


def test_a_static_volume_and_its_claim_know_each_other() -> None:
    volume, claim = static_volume("v", claim="models", namespace="ns", node="n1", path="/x", size="1Gi")
    assert volume["spec"]["claimRef"] == {"namespace": "ns", "name": "models"}
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert claim["metadata"] == {"name": "models", "namespace": "ns"}
    assert volume["spec"]["storageClassName"] == claim["spec"]["storageClassName"] == ""
    term = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]
    assert term == {"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}


@pytest.mark.parametrize(("status", "heartbeat", "expected"), [
    ("True", AFTER, True), ("True", BEFORE, False), ("False", AFTER, False), ("Unknown", AFTER, False),
])
def test_a_node_is_ready_only_by_a_heartbeat_after_its_start(status: str, heartbeat: str, expected: bool) -> None:
    node = {"status": {"conditions": [{"type": "Ready", "status": status, "lastHeartbeatTime": heartbeat}]}}
    assert is_true(node, "Ready", since=SINCE) is expected


def test_a_node_that_is_not_there_is_not_ready() -> None:
    assert not is_true({}, "Ready", since=SINCE)


@pytest.mark.parametrize(("ready", "state", "expected"), [
    (True, {"running": {"startedAt": BEFORE}}, True),
    (True, {"running": {"startedAt": AFTER}}, False),
    (False, {"running": {"startedAt": BEFORE}}, False),
    (False, {"waiting": {}}, False),
])
def test_a_pod_is_stale_while_ready_by_a_container_from_before(ready: bool, state: object, expected: bool) -> None:
    pod = {"status": {"containerStatuses": [{"ready": ready, "state": state}]}}
    assert is_stale(pod, since=SINCE) is expected


@pytest.mark.parametrize(("status", "expected"), [
    ({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}, True),
    ({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}, False),
    ({"phase": "Succeeded", "conditions": [{"type": "Ready", "status": "False"}]}, True),
    ({}, False),
])
def test_a_pod_is_ready_by_its_condition_or_done(status: object, expected: bool) -> None:
    assert is_ready({"status": status}) is expected
