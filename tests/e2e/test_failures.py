"""Specs that cannot work, on the real engine: a typed reason while the older revision serves, and Ready once mended."""

import json

import pytest

from deepseekserve.quantity import parse_quantity
from tests.e2e.cases import FAIL_S, STARTED_ALL_THE_SAME, Case, assert_told_well
from tests.e2e.conftest import START_S, delete, engine_pods, resource
from tests.e2e.timing import Timings
from tests.lab.kubectl import Kubectl, Object
from tests.lab.watch import Watch, condition, failed_with, serves

EDITS = {
    "a context longer than the model's": Case(
        "ContextTooLong",
        {"engine": {"maxModelLen": 999999}, **STARTED_ALL_THE_SAME},
        "max_model_len",
        ("999999", "32768"),
        fixes={"spec.engine.maxModelLen": "32768"},
    ),
    "a missing folder": Case(
        "ModelNotFound", {"model": {"source": "pvc://models/nothing-here"}}, "nothing-here", ("nothing-here",)
    ),
}


def broken(kubectl: Kubectl, served: Watch, case: Case) -> tuple[Object, float]:
    """Edit the serving resource as the case says and wait for the typed reason; the resource and when it was seen."""
    mark = served.mark()
    kubectl.patch("dss", served.name, {"spec": case.edit})
    seen = served.until(failed_with(case.reason), timeout_s=FAIL_S, what=case.reason, since=mark)
    return seen.object, seen.at


def assert_still_serves(thing: Object, reason: str) -> None:
    assert condition(thing, "Ready")["status"] == "True"
    assert condition(thing, "Degraded")["status"] == "True"
    assert condition(thing, "Degraded")["reason"] == reason
    assert thing["status"]["phase"] == "Serving"


def assert_agrees(thing: Object) -> None:
    """Where the sum says what will fail, the engine says the same."""
    fits = condition(thing, "Fits")
    assert fits["status"] == "Unknown" or fits["reason"] == thing["status"]["failure"]["reason"]


@pytest.mark.parametrize("case", EDITS.values(), ids=EDITS.keys())
def test_an_edit_that_cannot_work_is_explained_while_the_old_revision_serves(
    kubectl: Kubectl,
    served: Watch,
    told: Timings,
    case: Case,
) -> None:
    before = kubectl.get("dss", served.name)
    assert before is not None
    try:
        thing, at = broken(kubectl, served, case)
        assert_told_well(thing["status"], case)
        assert_agrees(thing)
        assert_still_serves(thing, case.reason)
        told.add_since(kubectl, engine_pods(kubectl, served.name)[-1], case.decisive, at)
    finally:
        mark = served.mark()
        restored = {"op": "replace", "path": "/spec", "value": before["spec"]}
        kubectl("patch", "dss", served.name, "--type=json", "-p", json.dumps([restored]))
    served.until(serves, timeout_s=START_S, what="Ready and not Degraded after the edit back", since=mark)


def test_a_memory_limit_too_small_is_named_and_a_larger_one_serves(kubectl: Kubectl) -> None:
    with Watch(kubectl, "starved") as watch:
        kubectl.apply(resource("starved", resources={"memory": "500Mi"}, engine={"kvCacheMemory": "16Mi"}))
        seen = watch.until(failed_with("HostOutOfMemory"), timeout_s=FAIL_S, what="HostOutOfMemory")
        assert condition(seen.object, "Ready") | {"status": "False", "reason": "HostOutOfMemory"} == condition(
            seen.object, "Ready"
        )
        assert "spec.resources.memory" in seen.object["status"]["failure"]["remedy"]
        mark = watch.mark()
        kubectl.patch("dss", "starved", {"spec": {"resources": {"memory": "4Gi"}}})
        watch.until(serves, timeout_s=START_S, what="Ready with more memory", since=mark)
    delete(kubectl, "starved")


@pytest.mark.usefixtures("alone")        # it counts what is free on the node
def test_pods_that_never_served_make_room_for_the_revision_that_cures_them(kubectl: Kubectl) -> None:
    """The node holds one such pod and not two, so the surge of a rolling update alone would wait for ever."""
    with Watch(kubectl, "wide") as watch:
        memory = str(free_memory(kubectl) * 6 // 10)
        kubectl.apply(resource("wide", model={"source": "pvc://models/nothing-here"}, resources={"memory": memory}))
        watch.until(failed_with("ModelNotFound"), timeout_s=FAIL_S, what="ModelNotFound")
        mark = watch.mark()
        kubectl.patch("dss", "wide", {"spec": {"model": {"source": "pvc://models/tiny"}}})
        watch.until(serves, timeout_s=START_S, what="Ready with the right folder", since=mark)
    delete(kubectl, "wide")


def free_memory(kubectl: Kubectl) -> int:
    """Bytes of memory that no pod has asked for, on the one node."""
    (node,) = kubectl.list("nodes")
    pods = json.loads(kubectl("get", "pods", "--all-namespaces", "-o", "json"))["items"]
    asked = [
        container.get("resources", {}).get("requests", {}).get("memory", "0")
        for pod in pods
        if pod["status"]["phase"] in ("Pending", "Running")
        for container in pod["spec"]["containers"]
    ]
    free = parse_quantity(node["status"]["allocatable"]["memory"]) - sum(map(parse_quantity, asked))
    return int(free)
