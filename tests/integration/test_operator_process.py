"""The operator as a process: killed at any instruction, started again, standing by, losing its lease, ending."""

import json
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deepseekserve import names
from tests.cluster.controlplane import ControlPlane
from tests.integration.operating import (
    Operator,
    eventually,
    install_crd,
    least_privileged,
    looked_at,
    resource,
    running,
)
from tests.lab.kubectl import Kubectl, Object
from tests.lab.relay import relayed
from tests.lab.watch import condition, is_true

KINDS = "deployments,services,serviceaccounts,configmaps,poddisruptionbudgets,controllerrevisions"
WRITES = ("create", "apply", "patch", "delete")
LEASE = "lease/deepseekserve-operator"


@pytest.fixture
def operator(kubectl: Kubectl, tmp_path: Path, namespace: str) -> Iterator[Operator]:
    """An operator that is not started yet, with its Lease in the test's namespace; killed at the end."""
    install_crd(kubectl)
    made = Operator(least_privileged(kubectl, namespace, tmp_path), tmp_path / "log", namespace=namespace)
    yield made
    made.kill()


def versions(kubectl: Kubectl) -> dict[str, str]:
    """Resource version of every resource and child in the namespace."""
    found = [*kubectl.list("dss"), *kubectl.list(KINDS, names.CHILD_SELECTOR)]
    return {f"{o['kind']}/{o['metadata']['name']}": o["metadata"]["resourceVersion"] for o in found}


def is_complete(kubectl: Kubectl, name: str) -> bool:
    found = kubectl.list(KINDS, f"{names.LABEL_NAME}={name}")
    return len({o["kind"] for o in found}) == 6 and bool(is_true("Reconciling")(kubectl.get("dss", name) or {}))


def started(operator: Operator) -> Operator:
    operator.start()
    eventually(operator.leads, "the operator leads", 60)
    return operator


def written(operator: Operator) -> float:
    return sum(operator.count("deepseekserve_kube_requests_total", verb=verb) for verb in WRITES)


def renewal(kubectl: Kubectl) -> str:
    lease = kubectl.get(*LEASE.split("/"))
    assert lease
    return str(lease["spec"]["renewTime"])


# Killed

def test_killed_at_any_instruction_it_loses_and_doubles_nothing(operator: Operator, kubectl_here: Kubectl) -> None:
    chance = random.Random(3)
    for number in range(6):
        started(operator)
        kubectl_here.apply(resource(f"tiny-{number}"))
        threading.Event().wait(chance.uniform(0, 0.3))
        operator.kill()
    started(operator)
    for number in range(6):
        eventually(lambda name=f"tiny-{number}": is_complete(kubectl_here, name), "all children")  # type: ignore[misc]
        children = kubectl_here.list(KINDS, f"{names.LABEL_NAME}=tiny-{number}")
        assert sorted(o["kind"] for o in children) == sorted({o["kind"] for o in children})
    assert "Traceback" not in operator.says()


def test_a_restart_with_many_unchanged_resources_writes_nothing(operator: Operator, kubectl_here: Kubectl) -> None:
    count = 25
    started(operator)
    kubectl_here.apply(*(resource(f"tiny-{n}") for n in range(count)))
    for number in range(count):
        eventually(lambda name=f"tiny-{number}": is_complete(kubectl_here, name), "all children", 60)  # type: ignore[misc]
    eventually(lambda: _all_have_settled(kubectl_here, count), "all pods, told by all who tell of them")
    operator.kill()
    before = versions(kubectl_here)
    started(operator)
    looked_at(operator, count)
    assert written(operator) == 0
    assert versions(kubectl_here) == before


def _all_have_settled(kubectl: Kubectl, count: int) -> bool:
    """Each resource's pod is in its status, and in those that Kubernetes' controllers write in their own time."""
    told = [
        *(r["status"].get("replicas") for r in kubectl.list("dss")),
        *(d["status"].get("unavailableReplicas") for d in kubectl.list("deployments")),
        *(b["status"].get("expectedPods") for b in kubectl.list("poddisruptionbudgets")),
    ]
    return told == [1] * 3 * count


def test_another_image_of_the_chart_changes_no_engine_that_is_there(operator: Operator, kubectl_here: Kubectl) -> None:
    """Neither what was made with an image of another release than the operator knows, nor what is said of it."""
    def there() -> Object:
        (deployment,) = kubectl_here.list("deployments")
        (revision,) = kubectl_here.list("controllerrevisions")
        found = condition(kubectl_here.get("dss", "tiny") or {}, "Fits")
        return {"template": deployment["spec"]["template"], "revision": revision["data"], "fits": found}

    older, newer = (f"vllm/vllm-openai-cpu:v0.{release}" for release in ("8.5", "33.0"))
    started(replace_settings(operator, DSS_ENGINE_IMAGE_CPU=older))
    kubectl_here.apply(resource("tiny"))
    eventually(lambda: is_complete(kubectl_here, "tiny"), "all children")
    before = there()
    assert before["template"]["spec"]["containers"][0]["image"] == older
    assert f"{older} may refuse" in before["fits"]["message"]
    assert "image" not in before["revision"]["spec"]["engine"]
    operator.kill()
    started(replace_settings(operator, DSS_ENGINE_IMAGE_CPU=newer))
    looked_at(operator, 1)
    assert there() == before


def test_edits_made_while_it_was_down_are_carried_out(operator: Operator, kubectl_here: Kubectl) -> None:
    started(operator)
    kubectl_here.apply(resource("tiny"), resource("gone"))
    for name in ("tiny", "gone"):
        eventually(lambda name=name: is_complete(kubectl_here, name), "all children")  # type: ignore[misc]
    operator.kill()
    kubectl_here("scale", "dss/tiny", "--replicas=3")
    kubectl_here("delete", "service", "tiny")
    kubectl_here("delete", "dss", "gone")
    started(operator)
    kubectl_here("wait", "deployment/tiny", "--for=jsonpath={.spec.replicas}=3", "--timeout=30s")
    eventually(lambda: kubectl_here.get("service", "tiny"), "the Service again")
    eventually(lambda: not kubectl_here.list(KINDS, f"{names.LABEL_NAME}=gone"), "nothing left of the other")


def test_a_resync_finds_what_no_event_told(operator: Operator, kubectl_here: Kubectl) -> None:
    """ConfigMaps are not watched: a deleted one comes back with the next list of everything."""
    started(replace_settings(operator, DSS_RESYNC_SECONDS="10"))
    kubectl_here.apply(resource("tiny"))
    eventually(lambda: is_complete(kubectl_here, "tiny"), "all children")
    kubectl_here("delete", "configmap", "-l", f"{names.LABEL_NAME}=tiny")
    eventually(lambda: kubectl_here.list("configmap", f"{names.LABEL_NAME}=tiny"), "the ConfigMap again")


def replace_settings(operator: Operator, **settings: str) -> Operator:
    operator.settings |= settings
    return operator


# Leading

def test_a_standby_answers_its_probes_and_takes_over_at_once_when_the_leader_ends_in_order(
    operator: Operator, tmp_path: Path,
) -> None:
    started(operator)
    standby = replace(operator, log=tmp_path / "standby", identity="operator-2", process=None)
    standby.start()
    try:
        assert standby.answers("/livez") == "ok\n"
        assert standby.answers("/readyz") == "ok\n"
        assert not standby.leads()
        assert operator.stop() == 0
        eventually(standby.leads, "the standby leads")
    finally:
        standby.kill()
    assert "Traceback" not in operator.says() + standby.says()


def test_a_standby_takes_over_when_the_leader_was_killed(operator: Operator, tmp_path: Path) -> None:
    started(operator)
    standby = replace(operator, log=tmp_path / "standby", identity="operator-2", process=None)
    standby.start()
    try:
        operator.kill()
        eventually(standby.leads, "the standby leads")
    finally:
        standby.kill()


def test_a_standby_ends_on_a_signal(operator: Operator, tmp_path: Path) -> None:
    started(operator)
    standby = replace(operator, log=tmp_path / "standby", identity="operator-2", process=None)
    standby.start()
    assert standby.stop() == 0
    assert "Traceback" not in standby.says()


@pytest.mark.parametrize("loss", ["taken", "deleted"])
def test_a_lost_lease_ends_the_process(operator: Operator, kubectl_here: Kubectl, loss: str) -> None:
    started(operator)
    if loss == "taken":
        kubectl_here.patch("lease", "deepseekserve-operator", {"spec": {"holderIdentity": "another"}})
    else:
        kubectl_here("delete", LEASE)
    assert operator.process
    assert operator.process.wait(timeout=30) == 1
    assert "leadership lost" in operator.says()


def test_it_ends_in_order_and_quickly_while_it_works(operator: Operator, kubectl_here: Kubectl) -> None:
    started(operator)
    kubectl_here.apply(*(resource(f"tiny-{n}") for n in range(5)))
    assert operator.stop() == 0
    assert "Traceback" not in operator.says()
    assert kubectl_here("get", LEASE, "-o", "jsonpath={.spec.holderIdentity}") == ""


# Beginning

def test_it_waits_for_the_crd_and_then_works(tmp_path: Path) -> None:
    with ControlPlane() as bare:
        kubectl = Kubectl(bare.kubectl_binary, bare.kubeconfig)
        with running(Operator(kubectl, tmp_path / "log")) as operator:
            eventually(lambda: "waiting for the CRD" in operator.says(), "it waits")
            install_crd(kubectl)
            kubectl.apply(resource("tiny"))
            eventually(lambda: is_complete(kubectl, "tiny"), "all children", 60)


def test_an_api_server_that_goes_away_ends_it_before_its_lease_does(tmp_path: Path) -> None:
    with ControlPlane() as short:
        operator = Operator(Kubectl(short.kubectl_binary, short.kubeconfig), tmp_path / "log")
        started(operator)
        try:
            short.stop()
            assert operator.process
            assert operator.process.wait(timeout=30) == 1
            assert "leadership lost" in operator.says()
        finally:
            operator.kill()


def test_it_outlives_connections_that_went_dead(operator: Operator, kubectl_here: Kubectl) -> None:
    url = urlsplit(json.loads(operator.kubectl("config", "view", "-o", "json"))["clusters"][0]["cluster"]["server"])
    with relayed(str(url.hostname), url.port or 0) as relay:
        operator.go_through(f"https://127.0.0.1:{relay.server_address[1]}")
        started(operator)
        relay.forget()
        eventually(lambda: "cannot renew the lease" in operator.says(), "a renewal is given up")
        renewed_at = renewal(kubectl_here)
        eventually(lambda: renewal(kubectl_here) != renewed_at, "the lease is renewed")
        assert not operator.has_ended()


def test_a_setting_that_cannot_be_used_is_named(operator: Operator) -> None:
    replace_settings(operator, DSS_WORKERS="many")
    with pytest.raises(AssertionError):
        operator.start()
    assert operator.process
    assert operator.process.wait() == 2
    assert "DSS_WORKERS" in operator.says()


def test_its_metrics_name_what_they_count(operator: Operator, kubectl_here: Kubectl) -> None:
    """All series are there before the first count, which increase() would not see otherwise."""
    started(replace_settings(operator, DSS_WATCH_NAMESPACES=kubectl_here.namespace))
    page = operator.answers("/metrics")
    for series in (
        "deepseekserve_reconcile_seconds_count 0.0", 'deepseekserve_reconciles_total{result="settled"} 0.0',
        'deepseekserve_agent_requests_total{result="failed"} 0.0',
        'deepseekserve_failures_total{reason="DiskFull"} 0.0',
        "deepseekserve_queue_depth 0.0", "deepseekserve_failure_report_seconds_count 0.0", "deepseekserve_leader 1.0",
        "deepseekserve_kube_requests_total{", "process_resident_memory_bytes ",
    ):
        assert f"\n{series}" in page
    kubectl_here.apply(resource("tiny"))
    eventually(lambda: operator.count("deepseekserve_reconciles_total") >= 1, "a look is counted")
    assert operator.looks() >= 1
    assert operator.count("deepseekserve_resources") == 1
