"""What the children look like; the goldens beside this show them whole."""

from typing import Any

import pytest

from deepseekserve import names, render
from deepseekserve.agent import options
from deepseekserve.api import InvalidSpec, Scheduling
from deepseekserve.bundle import Bundle
from deepseekserve.settings import Settings
from tests.golden import cases


def kinds(objects: list[dict[str, Any]]) -> list[str]:
    return [o["kind"] for o in objects]


def child(case: str, kind: str, **groups: Any) -> dict[str, Any]:
    return next(o for o in cases.manifests(cases.serve(case, groups)) if o["kind"] == kind)


def pod(case: str, settings: Settings = Settings(), **groups: Any) -> dict[str, Any]:  # noqa: B008
    (workload,) = render.workloads(cases.serve(case, groups), settings, "some-agent-0")
    spec: dict[str, Any] = workload["template"]["spec"]
    return spec


def container(case: str, settings: Settings = Settings(), **groups: Any) -> dict[str, Any]:  # noqa: B008
    only, *_ = pod(case, settings, **groups)["containers"]
    assert isinstance(only, dict)
    return only


# Children

def test_what_a_pod_needs_comes_before_the_deployment() -> None:
    assert kinds(cases.manifests(cases.serve("gpu"))) == [
        "ControllerRevision", "ServiceAccount", "ConfigMap", "Service", "PodDisruptionBudget", "Deployment",
    ]


@pytest.mark.parametrize("case", cases.CASES)
def test_every_child_is_owned_by_the_resource_and_carries_its_name(case: str) -> None:
    resource = cases.serve(case)
    for manifest in cases.manifests(resource):
        assert names.is_ours(manifest["metadata"], resource.metadata.uid)
        assert manifest["metadata"]["labels"][names.LABEL_NAME] == case
        assert all(key.startswith(names.GROUP) for key in manifest["metadata"]["labels"])
        assert manifest["metadata"]["namespace"] == "golden"


def test_the_config_map_of_an_older_agent_is_not_rendered_as_its_file_is_gone() -> None:
    resource = cases.serve("gpu")
    newer = Bundle(data=b"newer", hash="9999999999")
    children = render.children(resource, cases.first_revision(resource), replicas=1, bundle=newer)
    assert "ConfigMap" not in [o["kind"] for o in children]


def test_the_deployment_runs_the_revisions_template_labelled_with_its_hash() -> None:
    resource = cases.serve("gpu")
    revision = cases.first_revision(resource)
    deployment = render.children(resource, revision, replicas=3, bundle=cases.BUNDLE)[-1]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels == {"deepseekserve.io/name": "gpu", "deepseekserve.io/revision": revision.hash}
    assert deployment["spec"]["selector"] == {"matchLabels": {"deepseekserve.io/name": "gpu"}}
    assert deployment["spec"]["replicas"] == 3
    assert revision.workloads[0]["template"]["metadata"]["labels"] == {"deepseekserve.io/name": "gpu"}


def test_a_deployment_that_asks_for_gpus_gives_up_a_pod_before_it_makes_another() -> None:
    assert child("gpu", "Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_a_deployment_without_gpus_makes_a_pod_before_it_gives_up_another() -> None:
    bounds = {"maxSurge": 1, "maxUnavailable": 0}
    assert child("cpu-tiny", "Deployment")["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": bounds}
    resource = cases.serve("cpu-tiny")
    children = render.children(
        resource, cases.first_revision(resource), replicas=1, bundle=cases.BUNDLE, first_less=True)
    assert children[-1]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": "100%"}
    without_resources = child("cpu-tiny", "Deployment", resources={"cpu": None, "memory": None})
    assert without_resources["spec"]["strategy"]["type"] == "RollingUpdate"


def test_a_spec_that_contradicts_itself_renders_nothing() -> None:
    with pytest.raises(InvalidSpec):
        render.workloads(cases.serve("gpu", {"engine": {"extraArgs": ["--port=1"]}}), Settings(), "some-agent-0")


# Pods

@pytest.mark.parametrize("case", cases.CASES)
def test_a_pod_is_restricted_and_knows_nothing_of_the_api_server(case: str) -> None:
    spec, only = pod(case), container(case)
    assert spec["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True,
    }
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False


def test_the_user_can_be_left_to_the_cluster() -> None:
    assert "runAsUser" not in pod("gpu", Settings(run_as_user=None))["securityContext"]


def test_the_agent_runs_the_engine() -> None:
    assert container("cpu-tiny")["command"] == [
        "python3", "/deepseekserve/agent.pyz", "--port", "9800", "--engine-port", "8000", "--model", "tiny-qwen2",
        "--stall-seconds", "600", "--drain-seconds", "60", "--",
    ]
    assert container("cpu-tiny")["args"][:3] == ["vllm", "serve", "/models/tiny-qwen2"]


@pytest.mark.parametrize("case", cases.CASES)
def test_the_agent_understands_what_is_rendered_for_it(case: str) -> None:
    only, resource = container(case), cases.serve(case)
    understood = options.parse([*only["command"][2:], *only["args"]])
    assert (understood.port, understood.engine_port) == (names.AGENT_PORT, names.ENGINE_PORT)
    assert understood.stall_seconds == resource.spec.startup.stall_seconds
    assert understood.drain_seconds == resource.spec.rollout.drain_seconds
    assert understood.guard == (resource.spec.access.api_key_secret_ref is not None)
    assert list(understood.command) == only["args"]


def test_the_agent_guards_the_engine_when_a_key_is_set() -> None:
    assert "--guard" in container("api-key")["command"]
    assert "--guard" not in container("gpu")["command"]


def test_the_agent_takes_the_longest_silence_and_the_longest_drain_from_the_spec() -> None:
    command = container("all-fields")["command"]
    assert command[command.index("--stall-seconds") + 1] == "1200"
    assert command[command.index("--drain-seconds") + 1] == "120"
    assert pod("all-fields")["terminationGracePeriodSeconds"] == 150


def test_what_the_user_wrote_is_safe_from_the_kubelets_expansion() -> None:
    assert container("all-fields")["args"][-1] == "costs $$(HOME) $$$$5"


@pytest.mark.parametrize(("groups", "image"), [
    ({}, "gpu:1"),
    ({"engine": {"device": "CPU"}}, "cpu:1"),
    ({"engine": {"image": "mine:1"}}, "mine:1"),
])
def test_the_image_is_the_specs_or_the_charts_for_the_device(groups: dict[str, Any], image: str) -> None:
    settings = Settings(gpu_image="gpu:1", cpu_image="cpu:1", image_pull_policy="Never")
    only = container("gpu", settings, **groups)
    assert (only["image"], only["imagePullPolicy"]) == (image, "Never")


@pytest.mark.parametrize(("case", "resources"), [
    ("cpu-tiny", {"requests": {"cpu": "500m", "memory": "4Gi"}, "limits": {"memory": "4Gi"}}),
    ("gpu", {"limits": {"nvidia.com/gpu": "1"}}),
    ("all-fields", {
        "requests": {"cpu": "8", "memory": "64Gi"}, "limits": {"memory": "64Gi", "amd.com/gpu": "4", "rdma/ib": "1"}}),
])
def test_memory_is_request_and_limit_cpu_a_request_and_gpus_a_limit(case: str, resources: dict[str, Any]) -> None:
    assert container(case)["resources"] == resources


def test_a_pod_that_asks_for_nothing_has_no_resources() -> None:
    assert "resources" not in container("cpu-tiny", resources={"cpu": None, "memory": None})


def test_a_claim_is_mounted_read_only_and_whole() -> None:
    volume = next(v for v in pod("cpu-tiny")["volumes"] if v["name"] == "models")
    mount = next(m for m in container("cpu-tiny")["volumeMounts"] if m["name"] == "models")
    assert volume == {"name": "models", "persistentVolumeClaim": {"claimName": "models", "readOnly": True}}
    assert mount == {"name": "models", "mountPath": "/models", "readOnly": True}
    assert "models" not in [v["name"] for v in pod("gpu")["volumes"]]


@pytest.mark.parametrize("case", cases.CASES)
def test_every_volume_is_mounted_once(case: str) -> None:
    mounts = container(case)["volumeMounts"]
    assert sorted(v["name"] for v in pod(case)["volumes"]) == sorted(m["name"] for m in mounts)
    assert len({m["mountPath"] for m in mounts}) == len(mounts)


def test_shared_memory_is_bounded_when_the_spec_says_so() -> None:
    assert pod("gpu")["volumes"][-1] == {"name": "shm", "emptyDir": {"medium": "Memory"}}
    assert pod("gpu-8-tensor")["volumes"][-1] == {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}}


def test_readiness_is_asked_each_second_and_there_is_no_startup_probe() -> None:
    only = container("gpu")
    assert only["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "agent"}
    assert (only["readinessProbe"]["periodSeconds"], only["readinessProbe"]["timeoutSeconds"]) == (1, 5)
    assert only["livenessProbe"]["httpGet"] == {"path": "/live", "port": "agent"}
    assert (only["livenessProbe"]["periodSeconds"], only["livenessProbe"]["timeoutSeconds"]) == (10, 5)
    assert "startupProbe" not in only


def test_every_field_of_scheduling_becomes_the_pods_of_the_same_name() -> None:
    asked = cases.raw("all-fields")["spec"]["scheduling"]
    assert asked.keys() == {field.alias for field in Scheduling.model_fields.values()}
    made = {name: pod("all-fields").get(name) for name in asked}
    ours = {"labelSelector": {"matchLabels": {"deepseekserve.io/name": "all-fields"}}}
    spread = [{**ours, **constraint} for constraint in asked["topologySpreadConstraints"]]
    assert made == {**asked, "topologySpreadConstraints": spread}


def test_a_pod_whose_scheduling_nobody_cares_about_leaves_it_to_the_cluster() -> None:
    assert not {field.alias for field in Scheduling.model_fields.values()} & pod("gpu").keys()


def test_an_edit_of_restarted_at_reaches_the_pods() -> None:
    (workload,) = render.workloads(cases.serve("all-fields"), Settings(), "some-agent-0")
    assert workload["template"]["metadata"]["annotations"]["deepseekserve.io/restarted-at"] == "2026-11-24T12:00:00Z"


@pytest.mark.parametrize("case", cases.CASES)
def test_no_field_is_null(case: str) -> None:
    def nulls(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(nulls, value.values()))
        return any(map(nulls, value)) if isinstance(value, list) else value is None

    assert not any(nulls(o) for o in cases.manifests(cases.serve(case)) if o["kind"] != "ControllerRevision")
