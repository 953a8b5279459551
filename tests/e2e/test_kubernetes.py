"""What Kubernetes refuses before any engine runs: told in a sentence, with the step that cures it, and an Event."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.cluster.volumes import static_volume
from tests.e2e.cases import FAIL_S, Case, assert_told_everywhere
from tests.e2e.conftest import leave, namespace_with_volume
from tests.e2e.groups import group
from tests.lab.kubectl import Kubectl
from tests.lab.setup import Lab, drop_namespace, fresh_namespace
from tests.lab.watch import Seen, failed_with

QUOTA = "dss-e2e-quota"
NOWHERE = "dss-e2e-nowhere"          # a volume of a folder that the node does not have
SMALL = {"memory": "128Mi"}


def mounts(secret: str) -> dict[str, object]:
    """A pod template with a volume of a Secret."""
    volume = {"name": "extra", "secret": {"secretName": secret}}
    engine = {"name": "engine", "volumeMounts": [{"name": "extra", "mountPath": "/extra"}]}
    return {"spec": {"volumes": [volume], "containers": [engine]}}


CASES = {
    "image": Case(
        "ImagePullFailed", {"engine": {"image": "localhost:1/nowhere/vllm:1"}}, "", ("localhost:1/nowhere/vllm:1",)),
    "gpus": Case(
        "Unschedulable", {"engine": {"device": "GPU"}, "resources": {"gpu": {"count": 64}}}, "", ("nvidia.com/gpu",)),
    "memory": Case("Unschedulable", {"resources": {"memory": "9Ti"}}, "", ("memory", "spec.resources.memory")),
    "selector": Case(
        "Unschedulable", {"scheduling": {"nodeSelector": {"disk": "tape"}}}, "", ("spec.scheduling.nodeSelector",)),
    "claim": Case("Unschedulable", {"model": {"source": "pvc://nothing/tiny"}}, "", ("nothing", "spec.model.source")),
    "key": Case(
        "ContainerConfigError", {"access": {"apiKeySecretRef": {"name": "absent", "key": "key"}}}, "",
        ("absent", "spec.access.apiKeySecretRef")),
    "secret": Case("ContainerConfigError", {"podTemplate": mounts("lost")}, "", ("lost",)),
    "volume": Case("VolumeMountFailed", {"model": {"source": "pvc://nowhere/tiny"}}, "", ("nowhere",)),
    "policy": Case(
        "AdmissionRefused", {"podTemplate": {"spec": {"initContainers": [{"name": "bare", "image": "bare:1"}]}}}, "",
        ("restricted", "bare")),
}
CROWDED = Case("QuotaExceeded", {"resources": {"memory": "2Gi"}}, "", ("few", "1Gi", "2Gi"))


@pytest.fixture(scope="module")
def kubectl(lab: Lab) -> Iterator[Kubectl]:
    """kubectl in a namespace of their own, since they run beside the tests with real engines."""
    kubectl = namespace_with_volume(lab, "dss-refused")
    yield kubectl
    leave(lab, kubectl)


@pytest.fixture(scope="module")
def crowded(lab: Lab) -> Iterator[Kubectl]:
    """kubectl in a namespace with a quota of 1 GiB."""
    kubectl = replace(lab.kubectl, namespace=QUOTA)
    fresh_namespace(lab.kubectl, QUOTA)
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}}
    kubectl.apply({**quota, "spec": {"hard": {"requests.memory": "1Gi"}}})
    yield kubectl
    drop_namespace(lab.kubectl, QUOTA)


@pytest.fixture(scope="module")
def failed(lab: Lab, kubectl: Kubectl, crowded: Kubectl) -> Iterator[dict[str, Seen]]:
    """The state in which each was told, by name."""
    lab.kubectl("delete", "pv", "--ignore-not-found", NOWHERE)      # of a run that was cut off
    kubectl.apply(*static_volume(
        NOWHERE, claim="nowhere", namespace=kubectl.namespace, node=lab.node, path="/nowhere-on-this-node"))
    with ExitStack() as stack:
        specs = {name: {"resources": SMALL, **case.edit} for name, case in CASES.items()}
        watches = stack.enter_context(group(kubectl, specs))
        watches |= stack.enter_context(group(crowded, {"crowded": CROWDED.edit}))
        cases = {**CASES, "crowded": CROWDED}
        yield {
            name: watches[name].until(failed_with(case.reason), timeout_s=FAIL_S, what=case.reason)
            for name, case in cases.items()
        }
    kubectl("delete", "pvc", "nowhere")
    lab.kubectl("delete", "pv", NOWHERE)


@pytest.mark.parametrize("name", CASES)
def test_what_keeps_a_pod_from_starting_is_told(kubectl: Kubectl, failed: dict[str, Seen], name: str) -> None:
    assert_told_everywhere(kubectl, failed[name].object, CASES[name])


def test_a_quota_is_told_with_its_numbers(crowded: Kubectl, failed: dict[str, Seen]) -> None:
    assert_told_everywhere(crowded, failed["crowded"].object, CROWDED)
