"""What counts as drift of a child: a field that we render and the live object lacks or has otherwise; nothing else."""

import copy
from typing import Any

import pytest
import yaml

from deepseekserve.apply import drift
from tests.golden import cases

CASE = "all-fields"


def rendered(kind: str) -> dict[str, Any]:
    objects = yaml.safe_load_all((cases.FOLDER / f"{CASE}.yaml").read_text())
    return next(o for o in objects if o["kind"] == kind)


def changed(obj: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one field set, removed (None) or appended to a list (path ends in +)."""
    copied = copy.deepcopy(obj)
    *parents, last = path.split(".")
    place: Any = copied
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    if last == "+":
        place.append(value)
    elif value is None:
        del place[last]
    else:
        place[last] = value
    return copied


POD = "spec.template.spec"


@pytest.mark.parametrize("kind", ["Deployment", "Service", "ServiceAccount", "PodDisruptionBudget"])
def test_an_object_does_not_differ_from_itself(kind: str) -> None:
    assert drift(rendered(kind), rendered(kind)) is None


@pytest.mark.parametrize(("kind", "path", "value"), [
    ("Deployment", "status", {"replicas": 1}),
    ("Deployment", "metadata.resourceVersion", "7"),
    ("Deployment", "metadata.annotations", {"deployment.kubernetes.io/revision": "1"}),
    ("Deployment", f"{POD}.dnsPolicy", "ClusterFirst"),
    ("Deployment", f"{POD}.containers.0.terminationMessagePath", "/dev/termination-log"),
    ("Deployment", f"{POD}.containers.0.env.+", {"name": "SOMEBODYS", "value": "own"}),
    ("Deployment", f"{POD}.containers.+", {"name": "sidecar"}),
    ("Service", "spec.clusterIP", "10.96.0.7"),
    ("Service", "metadata.labels.somebodys", "own"),
    ("Service", "apiVersion", None),
])
def test_what_the_api_server_or_somebody_else_adds_is_no_drift(kind: str, path: str, value: Any) -> None:
    assert drift(rendered(kind), changed(rendered(kind), path, value)) is None


@pytest.mark.parametrize(("kind", "path", "value", "place"), [
    ("Deployment", "spec.replicas", 7, "spec.replicas"),
    ("Deployment", f"{POD}.containers.0.image", "somebody/else", f"{POD}.containers.engine.image"),
    ("Deployment", f"{POD}.containers.0.args", ["vllm"], f"{POD}.containers.engine.args"),
    ("Deployment", f"{POD}.volumes", [], f"{POD}.volumes.agent"),
    ("Deployment", f"{POD}.containers", [], f"{POD}.containers.engine"),
    ("Deployment", "spec.selector.matchLabels.more", "x", "spec.selector"),
    ("Service", "spec.selector.more", "x", "spec.selector"),
    ("Service", "spec.ports.0.port", 80, "spec.ports.8000/TCP"),
    ("Service", "metadata.labels", {}, "metadata.labels.deepseekserve.io/name"),
    ("ServiceAccount", "automountServiceAccountToken", True, "automountServiceAccountToken"),
])
def test_what_we_render_and_is_otherwise_is_drift_at_its_place(kind: str, path: str, value: Any, place: str) -> None:
    assert drift(rendered(kind), changed(rendered(kind), path, value)) == place


def test_one_argument_among_many_is_found() -> None:
    live = rendered("Deployment")
    live["spec"]["template"]["spec"]["containers"][0]["args"][1] = "other"
    assert drift(rendered("Deployment"), live) == f"{POD}.containers.engine.args.1"


@pytest.mark.parametrize(("desired", "live", "same"), [
    ("1", "1000m", True), ("1Gi", "1024Mi", True), ("0.5", "500m", True), (2, "2", True),
    ("1Gi", "1G", False), ("x", "1", False),
])
def test_quantities_are_compared_by_their_value(desired: Any, live: Any, same: bool) -> None:
    for wrap in (
        lambda q: {"limits": {"memory": q}}, lambda q: {"requests": {"cpu": q}}, lambda q: {"sizeLimit": q},
        lambda q: {"resourceFieldRef": {"divisor": q}},
    ):
        assert (drift(wrap(desired), wrap(live)) is None) is same


def test_a_port_whose_protocol_is_not_said_is_the_live_one_that_speaks_tcp() -> None:
    desired, live = {"ports": [{"containerPort": 9100}]}, {"ports": [{"containerPort": 9100, "protocol": "TCP"}]}
    assert drift(desired, live) is None
    assert drift({"ports": [{"containerPort": 9100, "protocol": "UDP"}]}, live) == "ports.9100/UDP"


def test_an_environment_variable_is_not_a_quantity() -> None:
    assert drift({"env": [{"name": "A", "value": "1Gi"}]}, {"env": [{"name": "A", "value": "1024Mi"}]}) == "env.A.value"


def test_an_empty_value_is_as_good_as_none() -> None:
    assert drift({"spec": {"a": "", "b": {}, "c": [], "d": False}}, {"spec": {}}) is None
    assert drift({"spec": {"a": ""}}, {"spec": {"a": "something"}}) == "spec.a"
    assert drift({"emptyDir": {}}, {"emptyDir": {"medium": "Memory"}}) is None
