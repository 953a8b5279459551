"""The children of a resource on a real API server: made, mended, rolled, pruned, and never taken from anybody."""

import json
from typing import Any

import pytest

from deepseekserve import names
from tests.integration.operating import Operator, eventually, resource
from tests.lab.kubectl import Kubectl, Object
from tests.lab.watch import Watch, condition, failed_with, is_true

KINDS = "deployments,services,serviceaccounts,configmaps,poddisruptionbudgets,controllerrevisions"


def children(kubectl: Kubectl, name: str) -> list[Object]:
    return kubectl.list(KINDS, f"{names.LABEL_NAME}={name}")


def made(kubectl: Kubectl, name: str, **spec: Any) -> Object:
    """A new resource whose Deployment is there; the Deployment."""
    kubectl.apply(resource(name, **spec))
    return eventually(lambda: kubectl.get("deployment", name), f"the Deployment {name}")


def until(kubectl: Kubectl, kind: str, name: str, path: str, value: str) -> None:
    """Wait until a field, by kubectl's jsonpath, has the value."""
    kubectl("wait", f"{kind}/{name}", f"--for=jsonpath={path}={value}", "--timeout=30s")


def uid(kubectl: Kubectl, kind: str, name: str) -> str:
    """Uid of an object; empty when there is none."""
    found = kubectl.get(kind, name)
    return str(found["metadata"]["uid"]) if found else ""


def env(deployment: Object) -> list[str]:
    return [e["name"] for e in deployment["spec"]["template"]["spec"]["containers"][0]["env"]]


# Making

def test_a_new_resource_gets_all_its_children_controlled_by_it_and_nothing_else_of_it_is_written(here: Kubectl) -> None:
    made(here, "tiny")
    owner = here.get("dss", "tiny")
    assert owner
    found = {c["kind"]: c for c in children(here, "tiny")}
    assert set(found) == {
        "Deployment", "Service", "ServiceAccount", "ConfigMap", "PodDisruptionBudget", "ControllerRevision",
    }
    for child in found.values():
        assert names.is_ours(child["metadata"], owner["metadata"]["uid"])
    assert "finalizers" not in owner["metadata"]
    assert set(owner["metadata"].get("annotations", {})) <= {"kubectl.kubernetes.io/last-applied-configuration"}


def test_the_first_status_is_complete_and_of_the_right_generation(here: Kubectl) -> None:
    made(here, "tiny")
    with Watch(here, "tiny") as watch:
        seen = watch.until(is_true("Reconciling"), timeout_s=30, what="the first status").object
    assert seen["status"]["observedGeneration"] == 1
    assert [c["type"] for c in seen["status"]["conditions"]] == ["Ready", "Reconciling", "Stalled", "Degraded", "Fits"]
    assert seen["status"]["model"] == "tiny"
    assert seen["status"]["selector"] == f"{names.LABEL_NAME}=tiny"


# Mending

def test_a_child_that_was_edited_by_hand_is_as_it_was(here: Kubectl) -> None:
    made(here, "tiny")
    here.patch("deployment", "tiny", {"spec": {"replicas": 7}})
    until(here, "deployment", "tiny", "{.spec.replicas}", "1")
    image = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "somebody/else"}
    here("patch", "deployment", "tiny", "--type=json", "-p", json.dumps([image]))
    until(here, "deployment", "tiny", "{.spec.template.spec.containers[0].imagePullPolicy}", "IfNotPresent")
    eventually(lambda: "somebody" not in json.dumps(here.get("deployment", "tiny")), "our own image again")
    here.patch("service", "tiny", {"spec": {"selector": {"astray": "yes"}}})
    eventually(lambda: "astray" not in json.dumps(here.get("service", "tiny")), "our own selector again")


def test_what_others_add_to_a_child_is_left_alone(here: Kubectl) -> None:
    made(here, "tiny")
    here("annotate", "service", "tiny", "example.com/note=mine")
    here("label", "deployment", "tiny", "example.com/team=ours")
    here.patch("deployment", "tiny", {"spec": {"replicas": 3}})
    until(here, "deployment", "tiny", "{.spec.replicas}", "1")
    deployment, service = here.get("deployment", "tiny"), here.get("service", "tiny")
    assert deployment
    assert deployment["metadata"]["labels"]["example.com/team"] == "ours"
    assert service
    assert service["metadata"]["annotations"]["example.com/note"] == "mine"


@pytest.mark.parametrize("kind", ["service", "deployment", "serviceaccount", "poddisruptionbudget"])
def test_a_child_that_was_deleted_comes_back(here: Kubectl, kind: str) -> None:
    made(here, "tiny")
    before = eventually(lambda: here.get(kind, "tiny"), kind)
    here("delete", kind, "tiny", "--wait=false")
    eventually(lambda: uid(here, kind, "tiny") not in ("", before["metadata"]["uid"]), f"another {kind}")


# Rolling

def test_an_edit_rolls_to_a_new_revision_and_back_to_the_old_one(here: Kubectl) -> None:
    first = made(here, "tiny")
    here.patch("dss", "tiny", {"spec": {"engine": {"env": [{"name": "MORE", "value": "1"}]}}})
    eventually(lambda: "MORE" in env(here.get("deployment", "tiny") or first), "the new variable")
    assert len(here.list("controllerrevisions")) == 2
    here.patch("dss", "tiny", {"spec": {"engine": {"env": None}}})
    eventually(lambda: "MORE" not in env(here.get("deployment", "tiny") or first), "the variable gone")
    assert (here.get("deployment", "tiny") or {})["spec"]["template"] == first["spec"]["template"]
    assert len(here.list("controllerrevisions")) == 2


def test_a_field_that_was_there_from_the_beginning_can_go(here: Kubectl) -> None:
    """What a POST has made ours must not outlive an apply that leaves it out."""
    first = made(here, "tiny", engine={"device": "CPU", "env": [{"name": "FIRST", "value": "1"}]})
    assert "FIRST" in env(first)
    here.patch("dss", "tiny", {"spec": {"engine": {"env": None}}})
    eventually(lambda: "FIRST" not in env(here.get("deployment", "tiny") or first), "the variable gone")


def test_a_resource_that_comes_to_ask_for_gpus_is_recreated_instead_of_surged(here: Kubectl) -> None:
    first = made(here, "tiny")
    assert first["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    here.patch("dss", "tiny", {"spec": {"engine": {"device": "GPU"}}})
    until(here, "deployment", "tiny", "{.spec.strategy.type}", "Recreate")
    assert "rollingUpdate" not in (here.get("deployment", "tiny") or {})["spec"]["strategy"]


def test_scaling_changes_the_replicas_and_no_revision(here: Kubectl) -> None:
    made(here, "tiny")
    here("scale", "dss/tiny", "--replicas=2")
    until(here, "deployment", "tiny", "{.spec.replicas}", "2")
    assert len(here.list("controllerrevisions")) == 1


def test_only_ten_old_revisions_are_kept(here: Kubectl) -> None:
    made(here, "tiny")
    for number in range(13):
        here.patch("dss", "tiny", {"spec": {"restartedAt": f"2026-11-24T12:00:{number:02}Z"}})
        until(here, "dss", "tiny", "{.status.observedGeneration}", str(number + 2))
    eventually(lambda: len(here.list("controllerrevisions")) == 11, "the current revision and ten old ones")


def test_suspended_runs_nothing_and_resumes(here: Kubectl) -> None:
    made(here, "tiny")
    here.patch("dss", "tiny", {"spec": {"suspended": True}})
    until(here, "dss", "tiny", "{.status.phase}", "Suspended")
    until(here, "deployment", "tiny", "{.spec.replicas}", "0")
    with Watch(here, "tiny") as watch:
        seen = watch.until(lambda r: not is_true("Reconciling")(r), timeout_s=30, what="settled")
        assert condition(seen.object, "Ready")["reason"] == "Suspended"
    here.patch("dss", "tiny", {"spec": {"suspended": False}})
    until(here, "deployment", "tiny", "{.spec.replicas}", "1")


# Whose is it?

def foreign(kind: str, name: str) -> Object:
    if kind == "service":
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": pod, "replicas": 0}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def own(thing: Object | None) -> Object:
    """What nobody but an object's owner writes: Kubernetes' controllers write its status and annotations."""
    assert thing
    kept = ("uid", "labels", "finalizers", "ownerReferences", "generation")
    return {"spec": thing["spec"], **{key: thing["metadata"].get(key) for key in kept}}


@pytest.mark.parametrize("kind", ["service", "deployment"])
def test_somebody_elses_object_is_left_alone_until_its_owner_removes_it(here: Kubectl, kind: str) -> None:
    here.apply(foreign(kind, "tiny"))
    before = own(here.get(kind, "tiny"))
    with Watch(here, "tiny") as watch:
        here.apply(resource("tiny"))
        seen = watch.until(failed_with("NameConflict"), timeout_s=30, what="NameConflict").object
        assert kind in seen["status"]["failure"]["message"].lower()
        assert seen["status"]["failure"]["remedy"]
        assert condition(seen, "Ready")["reason"] == "NameConflict"
        assert own(here.get(kind, "tiny")) == before
        assert names.FIELD_MANAGER not in here("get", kind, "tiny", "-o", "json", "--show-managed-fields")
        mark = watch.mark()
        here("delete", kind, "tiny")
        here("annotate", "dss", "tiny", "look=again")
        watch.until(lambda r: "failure" not in r["status"], timeout_s=30, what="no conflict", since=mark)
    owner = here.get("dss", "tiny")
    assert owner
    assert names.is_ours((here.get(kind, "tiny") or {})["metadata"], owner["metadata"]["uid"])


def test_a_child_that_is_taken_over_while_serving_stops_nothing_else(here: Kubectl) -> None:
    first = made(here, "tiny")
    here("scale", "dss/tiny", "--replicas=0")
    until(here, "deployment", "tiny", "{.spec.replicas}", "0")
    here.patch("service", "tiny", {"metadata": {"ownerReferences": None}})
    with Watch(here, "tiny") as watch:
        watch.until(failed_with("NameConflict"), timeout_s=30, what="NameConflict")
    deployment = here.get("deployment", "tiny")
    assert deployment
    assert deployment["metadata"]["uid"] == first["metadata"]["uid"]


def test_a_resource_made_again_under_its_old_name_waits_for_the_old_children_to_go(here: Kubectl) -> None:
    first = made(here, "tiny")
    here("delete", "dss", "tiny", "--wait=false")
    here.apply(resource("tiny"))
    with Watch(here, "tiny") as watch:
        eventually(lambda: uid(here, "deployment", "tiny") not in ("", first["metadata"]["uid"]), "a new Deployment")
        watch.until(is_true("Reconciling"), timeout_s=30, what="work goes on")
        assert not any(s.object.get("status", {}).get("failure") for s in watch.seen)


def test_a_deleted_resource_takes_everything_along(here: Kubectl) -> None:
    made(here, "tiny")
    here("delete", "dss", "tiny")
    eventually(lambda: children(here, "tiny") == [], "all children gone")


# What cannot be

def test_an_invalid_spec_is_told_and_touches_nothing(here: Kubectl) -> None:
    before = made(here, "tiny")
    with Watch(here, "tiny") as watch:
        mark = watch.mark()
        here.patch("dss", "tiny", {"spec": {"engine": {"extraArgs": ["--max-model-len=5"]}, "replicas": 3}})
        seen = watch.until(failed_with("InvalidSpec"), timeout_s=30, what="InvalidSpec", since=mark).object
        assert is_true("Stalled")(seen)
        assert not is_true("Reconciling")(seen)
        assert "spec.engine.maxModelLen" in seen["status"]["failure"]["message"]
        deployment = here.get("deployment", "tiny")
        assert deployment
        assert deployment["spec"] == before["spec"]
        assert len(children(here, "tiny")) == 6
        mark = watch.mark()
        here.patch("dss", "tiny", {"spec": {"engine": {"extraArgs": []}, "replicas": 1}})
        watch.until(lambda r: "failure" not in r["status"], timeout_s=30, what="no failure", since=mark)


AFFINITY = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
    "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": []}]}]}}}


@pytest.mark.parametrize("wrong", [
    {"engine": {"extraArgs": ["--max-model-len=5"]}, "suspended": True},          # seen by the operator
    {"engine": {"extraArgs": ["--max-model-len=5"]}, "replicas": 0},
    {"scheduling": {"affinity": AFFINITY}, "suspended": True},                    # seen by the API server
])
def test_what_shall_not_run_does_not_run_though_the_spec_is_invalid(here: Kubectl, wrong: Object) -> None:
    before = made(here, "tiny")
    with Watch(here, "tiny") as watch:
        here.patch("dss", "tiny", {"spec": wrong})
        until(here, "deployment", "tiny", "{.spec.replicas}", "0")
        watch.until(failed_with("InvalidSpec"), timeout_s=30, what="InvalidSpec")
        deployment = here.get("deployment", "tiny")
        assert deployment
        assert deployment["spec"] == before["spec"] | {"replicas": 0}
        here.patch("dss", "tiny", {"spec": {
            "engine": {"extraArgs": []}, "scheduling": {"affinity": None}, "suspended": False, "replicas": 1}})
        until(here, "deployment", "tiny", "{.spec.replicas}", "1")


def test_what_only_the_api_server_can_see_is_told_as_an_invalid_spec(here: Kubectl) -> None:
    with Watch(here, "odd") as watch:
        here.apply(resource("odd", scheduling={"affinity": AFFINITY}))
        seen = watch.until(failed_with("InvalidSpec"), timeout_s=30, what="InvalidSpec").object
    assert "affinity" in seen["status"]["failure"]["message"]
    assert is_true("Stalled")(seen)


def test_a_quota_that_has_no_room_for_the_pod_is_told(here: Kubectl) -> None:
    here("create", "quota", "small", "--hard=pods=0")
    eventually(lambda: (here.get("resourcequota", "small") or {}).get("status", {}).get("hard"), "the quota is counted")
    with Watch(here, "tiny") as watch:
        here.apply(resource("tiny"))
        seen = watch.until(failed_with("QuotaExceeded"), timeout_s=30, what="QuotaExceeded").object
    assert "small" in seen["status"]["failure"]["message"]
    assert not is_true("Stalled")(seen)


def test_nothing_of_the_above_was_a_bug_or_forbidden_to_it(operator: Operator) -> None:
    """Last in this module."""
    assert "Traceback" not in operator.says()
    assert "User \\\"system:serviceaccount" not in operator.says()
