"""What a user does with kubectl: wait, get, explain, describe, scale, edit, delete, also while the operator is down."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from tests.e2e.cases import assert_predicted
from tests.e2e.conftest import START_S, await_no_pods, delete_service, engine_pods
from tests.lab.kubectl import Kubectl
from tests.lab.setup import OPERATOR_NAMESPACE, Lab
from tests.lab.users import Users
from tests.lab.watch import Watch, condition, has_ready, is_current, is_true, serves

CHILDREN = "deployments,services,serviceaccounts,configmaps,poddisruptionbudgets,controllerrevisions,pods"


def test_kubectl_wait_for_ready_returns(kubectl: Kubectl, served: Watch) -> None:
    assert "condition met" in kubectl("wait", "--for=condition=Ready", f"dss/{served.name}", "--timeout=10s")


def test_kubectl_get_shows_the_columns_of_a_serving_model(kubectl: Kubectl, served: Watch) -> None:
    header, row = kubectl("get", "dss", served.name).splitlines()
    assert header.split() == ["NAME", "MODEL", "READY", "PHASE", "PROGRESS", "REASON", "CONTEXT", "QUANT", "AGE"]
    assert row.split()[:4] == [served.name, "tiny", "True", "Serving"]
    assert "4096" in row


def test_kubectl_get_wide_adds_the_url(kubectl: Kubectl, served: Watch) -> None:
    header, row = kubectl("get", "dss", served.name, "-o", "wide").splitlines()
    assert {"URL", "GPUS"} <= set(header.split())
    assert f"http://{served.name}.{kubectl.namespace}.svc:8000/v1" in row


def test_kubectl_explain_describes_a_field(kubectl: Kubectl) -> None:
    text = kubectl("explain", "dss.spec.engine.maxModelLen")
    assert re.search(r"DESCRIPTION:\s+\w+", text)
    assert "Auto" in text


def test_kubectl_describe_shows_conditions_and_events(kubectl: Kubectl, served: Watch) -> None:
    text = kubectl("describe", "dss", served.name)
    described, _, events = text.partition("\nEvents:")
    for kind in ("Ready", "Reconciling", "Stalled", "Degraded", "Fits"):
        assert re.search(rf"^ +Type: +{kind}$", described, re.MULTILINE)
    assert re.search(r"^ +Normal +Serving +", events, re.MULTILINE)


def test_the_status_tells_what_the_engine_reported(kubectl: Kubectl, served: Watch) -> None:
    thing = kubectl.get("dss", served.name)
    assert thing
    engine = thing["status"]["engine"]
    assert engine["version"].startswith("0.32")
    assert engine["maxModelLen"] == 4096
    assert engine["kvCacheTokens"] > 0
    assert_predicted(thing)


def test_scale_to_two_and_back_follows_the_scale_subresource(kubectl: Kubectl, served: Watch) -> None:
    mark = served.mark()
    kubectl("scale", f"dss/{served.name}", "--replicas=2")
    two = served.until(has_ready(2), timeout_s=START_S, what="two ready replicas", since=mark)
    scale = json.loads(
        kubectl(
            "get",
            "--raw",
            f"/apis/deepseekserve.io/v1alpha1/namespaces/{kubectl.namespace}/deepseekserves/{served.name}/scale",
        )
    )
    assert scale["status"]["replicas"] == 2
    assert scale["status"]["selector"] == two.object["status"]["selector"]
    mark = served.mark()
    kubectl("scale", f"dss/{served.name}", "--replicas=1")
    served.until(
        lambda r: serves(r) and r["status"].get("replicas") == 1, timeout_s=120, what="one replica", since=mark
    )


def test_suspended_has_no_pods_and_says_so(kubectl: Kubectl, served: Watch) -> None:
    mark = served.mark()
    kubectl.patch("dss", served.name, {"spec": {"suspended": True}})
    seen = served.until(
        lambda r: is_current(r) and r["status"].get("phase") == "Suspended", timeout_s=60, what="Suspended", since=mark
    )
    assert condition(seen.object, "Ready")["reason"] == "Suspended"
    await_no_pods(kubectl, f"deepseekserve.io/name={served.name}")
    mark = served.mark()
    kubectl.patch("dss", served.name, {"spec": {"suspended": False}})
    served.until(serves, timeout_s=START_S, what="Ready after suspension", since=mark)


def test_a_child_edited_or_deleted_by_hand_comes_back(kubectl: Kubectl, served: Watch) -> None:
    delete_service(kubectl, served.name, back_within_s=30)


@pytest.mark.parametrize("operator", ["running", "down"])
def test_delete_leaves_nothing(lab: Lab, kubectl: Kubectl, users: Users, operator: str) -> None:
    name = f"gone-{operator}"
    with Watch(kubectl, name) as watch:
        kubectl.apply(
            {
                "apiVersion": "deepseekserve.io/v1alpha1",
                "kind": "DeepSeekServe",
                "metadata": {"name": name},
                "spec": {
                    "model": {"source": "pvc://models/tiny"},
                    "engine": {"device": "CPU"},
                    "resources": {"memory": "4Gi"},
                },
            }
        )
        watch.until(is_true("Reconciling"), timeout_s=30, what="seen by the operator")
        with Watch(kubectl, name, kind="deployment") as deployment:
            deployment.until(bool, timeout_s=30, what="its Deployment")
    with away(lab, users) if operator == "down" else nullcontext():
        kubectl("delete", "dss", name, "--timeout=30s")
        for kind in CHILDREN.split(","):
            kubectl(
                "wait", "--for=delete", kind, "-l", f"deepseekserve.io/name={name}", "--timeout=120s", timeout_s=130
            )
    assert kubectl.list(CHILDREN, f"deepseekserve.io/name={name}") == []
    assert engine_pods(kubectl, name) == []


@contextmanager
def away(lab: Lab, users: Users) -> Iterator[None]:
    """No operator runs, and no other run of tests misses it."""
    with users.alone():
        scale_operator(lab, 0)
        try:
            yield
        finally:
            scale_operator(lab, 1)


def scale_operator(lab: Lab, replicas: int) -> None:
    deployments = ["deployment", "-n", OPERATOR_NAMESPACE, "-l", "app.kubernetes.io/name=deepseekserve"]
    lab.kubectl("scale", f"--replicas={replicas}", *deployments)
    if replicas:
        lab.kubectl("rollout", "status", *deployments, "--timeout=120s")
    else:
        lab.kubectl(
            "wait",
            "--for=delete",
            "pod",
            "-n",
            OPERATOR_NAMESPACE,
            "-l",
            "app.kubernetes.io/name=deepseekserve",
            "--timeout=60s",
        )
