"""The Job that reads a model: where the engine would, as its user, without a GPU."""

from typing import Any

import pytest

from deepseekserve import api, names, render
from deepseekserve.settings import Settings

SETTINGS = Settings(image="registry.example/operator:1")
METADATA = {"name": "r1", "namespace": "models", "uid": "uid-1", "generation": 3}


def made(source: str, settings: Settings = SETTINGS, **spec: Any) -> dict[str, Any]:
    serve = api.parse({"metadata": METADATA, "spec": {"model": {"source": source}, **spec}})
    account, job = render.reader(serve, settings, "r1-read-1")
    assert account["kind"] == "ServiceAccount"
    return job


def pod(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["spec"]["template"]["spec"]
    return found


def container(job: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod(job)["containers"]
    return dict(found)


def test_a_claim_is_mounted_to_be_read_and_nothing_else_is() -> None:
    job = made("pvc://weights/r1")
    assert (job["metadata"]["name"], job["spec"]["backoffLimit"]) == ("r1-read-1", 0)
    assert names.is_ours(job["metadata"], "uid-1")
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels == {"deepseekserve.io/reads": "r1"}, "no Service, PodDisruptionBudget or Deployment selects it"
    assert pod(job)["volumes"] == [
        {"name": "models", "persistentVolumeClaim": {"claimName": "weights", "readOnly": True}}]
    reader = container(job)
    assert reader["image"] == "registry.example/operator:1"
    assert reader["command"] == [
        "python3", "-m", "deepseekserve.reader", "/models/r1", "--write", "/dev/termination-log"]
    assert reader["volumeMounts"] == [{"name": "models", "mountPath": "/models", "readOnly": True}]
    assert "nvidia.com/gpu" not in reader["resources"]["limits"]
    assert reader["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod(job)["securityContext"]["runAsUser"] == 1000
    assert pod(job)["automountServiceAccountToken"] is False


def test_the_hub_is_asked_with_the_engines_own_way_and_token() -> None:
    env = [{"name": "HF_ENDPOINT", "value": "http://mirror"}, {"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"}]
    job = made("hf://a/b@main", model={"source": "hf://a/b@main", "tokenSecretRef": {"name": "hf", "key": "token"}},
               engine={"env": env})
    reader = container(job)
    assert reader["command"] == [
        "python3", "-m", "deepseekserve.hub", "a/b", "--revision", "main", "--write", "/dev/termination-log"]
    assert [variable["name"] for variable in reader["env"]] == ["HF_TOKEN", "HF_ENDPOINT"]
    assert "volumes" not in pod(job)
    assert "volumeMounts" not in reader


@pytest.mark.parametrize(("spec", "field", "value"), [
    ({"scheduling": {"nodeSelector": {"zone": "a"}}}, "nodeSelector", {"zone": "a"}),
    ({"scheduling": {"tolerations": [{"operator": "Exists"}]}}, "tolerations", [{"operator": "Exists"}]),
    ({"scheduling": {"runtimeClassName": "nvidia"}}, "runtimeClassName", None),
    ({"podTemplate": {"spec": {"imagePullSecrets": [{"name": "pull"}]}}}, "imagePullSecrets", [{"name": "pull"}]),
    ({"podTemplate": {"metadata": {"annotations": {"inject": "no"}}}}, "", {"inject": "no"}),
    ({"podTemplate": {"spec": {"initContainers": [{"name": "x", "image": "y"}]}}}, "initContainers", None),
])
def test_it_runs_where_the_engine_may_and_with_nothing_that_is_the_engines(
    spec: dict[str, Any], field: str, value: object,
) -> None:
    job = made("pvc://weights/r1", **spec)
    assert (pod(job).get(field) if field else job["spec"]["template"]["metadata"]["annotations"]) == value


@pytest.mark.parametrize(("spec", "placed"), [
    ({}, False),
    ({"scheduling": {"tolerations": [{"operator": "Exists"}]}}, False),
    ({"scheduling": {"nodeSelector": {"zone": "a"}}}, True),
    ({"podTemplate": {"spec": {"affinity": {"podAffinity": {}}}}}, True),
])
def test_a_resource_may_say_on_which_nodes_its_pods_run(spec: dict[str, Any], placed: bool) -> None:
    serve = api.parse({"metadata": METADATA, "spec": {"model": {"source": "pvc://weights/r1"}, **spec}})
    assert render.is_placed(serve) is placed
