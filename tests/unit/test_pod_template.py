"""`spec.podTemplate`: what is merged how, and what is refused with the field and the next step."""

import re
from typing import Any

import pytest

from deepseekserve import api, names, render
from deepseekserve.api.overlay import MOST_BYTES, MOST_LEVELS, PodOverlay
from deepseekserve.render.overlay import overlaid
from deepseekserve.render.refusals import ENGINE, PLACES, POD, VOLUMES
from deepseekserve.settings import Settings
from tests.golden import cases

ENV = [{"name": "A", "value": "ours"}, {"name": "B", "value": "ours"}]


def pod_spec(**fields: Any) -> dict[str, Any]:
    return {"podTemplate": {"spec": fields}}


def engine(**fields: Any) -> dict[str, Any]:
    return pod_spec(containers=[{"name": "engine", **fields}])


def metadata(**fields: Any) -> dict[str, Any]:
    return {"podTemplate": {"metadata": fields}}


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"a": 1}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def template(spec: dict[str, Any], case: str = "cpu-tiny") -> Any:
    (workload,) = render.workloads(cases.serve(case, spec), Settings(), "some-agent-0")
    return workload["template"]


# Merging

@pytest.mark.parametrize(("ours", "over", "merged"), [
    ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 3, "e": 4}}, {"a": 1, "b": {"c": 1, "d": 3, "e": 4}}),
    ({"args": ["x", "y"]}, {"args": ["z"]}, {"args": ["z"]}),
    ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "b"}]}),
    ({"tolerations": [{"key": "a"}]}, {"tolerations": []}, {"tolerations": []}),
    ({"containers": [{"name": "engine"}]}, {"containers": []}, {"containers": [{"name": "engine"}]}),
    ({}, {"hostAliases": [{"ip": "::1"}]}, {"hostAliases": [{"ip": "::1"}]}),
    ({"env": ENV}, {"env": [{"name": "C", "value": "c"}, {"name": "A", "value": "a"}]},
     {"env": [{"name": "A", "value": "a"}, ENV[1], {"name": "C", "value": "c"}]}),
    ({"env": ENV[:1]}, {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
     {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]}),
    ({"volumeMounts": [{"name": "a", "mountPath": "/a"}]}, {"volumeMounts": [{"name": "b", "mountPath": "/a"}]},
     {"volumeMounts": [{"name": "b", "mountPath": "/a"}]}),
    ({"volumeMounts": [{"name": "a", "mountPath": "/a"}]}, {"volumeMounts": [{"name": "a", "mountPath": "/b"}]},
     {"volumeMounts": [{"name": "a", "mountPath": "/a"}, {"name": "a", "mountPath": "/b"}]}),
    ({"ports": [{"containerPort": 80, "protocol": "TCP"}]}, {"ports": [{"containerPort": 80, "name": "web"}]},
     {"ports": [{"containerPort": 80, "protocol": "TCP", "name": "web"}]}),
    ({"ports": [{"containerPort": 80, "protocol": "TCP"}]}, {"ports": [{"containerPort": 80, "protocol": "UDP"}]},
     {"ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "UDP"}]}),
    ({"volumes": [{"name": "cache", "emptyDir": {}}]},
     {"volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "c"}}]},
     {"volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "c"}}]}),
    ({"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}]},
     {"volumes": [{"name": "shm", "emptyDir": {"sizeLimit": "8Gi"}}]},
     {"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}]}),
    ({"volumes": [{"name": "shm", "emptyDir": {}}]}, {"volumes": [{"name": "shm"}]},
     {"volumes": [{"name": "shm", "emptyDir": {}}]}),
    ({"containers": [{"name": "engine", "image": "x"}]},
     {"containers": [{"name": "b"}, {"name": "engine", "tty": True}]},
     {"containers": [{"name": "engine", "image": "x", "tty": True}, {"name": "b"}]}),
], ids=range(16))
def test_maps_merge_lists_merge_by_their_key_and_all_else_replaces(ours: Any, over: Any, merged: Any) -> None:
    assert overlaid(ours, over) == merged


def test_the_operators_labels_stand_beside_the_users() -> None:
    assert template(metadata(labels={"team": "a"}))["metadata"]["labels"] == {names.LABEL_NAME: "cpu-tiny", "team": "a"}


def test_the_engine_stays_the_first_container() -> None:
    made = template(pod_spec(containers=[{"name": "a", "image": "x"}]))
    assert [container["name"] for container in made["spec"]["containers"]] == ["engine", "a"]


def test_a_null_says_nothing_as_everywhere_in_the_resource() -> None:
    spoken = pod_spec(securityContext={"runAsUser": None, "fsGroup": 5}, nodeName=None)
    assert template(spoken) == template(pod_spec(securityContext={"fsGroup": 5}))
    assert template(metadata(labels=None)) == template({})


def test_a_template_that_says_nothing_makes_the_same_pods_as_none() -> None:
    said = api.parse_spec({"model": {"source": "hf://a/b"}, "podTemplate": {"spec": {}, "metadata": {"labels": None}}})
    assert api.same_pods({"model": {"source": "hf://a/b"}}, said)


# Refusing

REFUSED: list[tuple[dict[str, Any], str]] = [
    *((pod_spec(**{field: True}), rf"spec\.podTemplate\.spec\.{field}: ") for field in POD),
    *((engine(**{field: "x"}), rf"spec\.podTemplate\.spec\.containers\[engine\]\.{field}: ") for field in ENGINE),
    *((pod_spec(volumes=[{"name": name}]), rf"volumes\[{name}\]: ") for name in VOLUMES),
    (pod_spec(serviceAccountName="admin"), r"serviceAccountName: .*bind roles to 'cpu-tiny'"),
    (pod_spec(serviceAccount="admin"), r"serviceAccount: "),
    (pod_spec(volumes=[{"name": "x", "hostPath": {"path": "/"}}]), r"volumes\[x\]\.hostPath: "),
    (engine(securityContext={"privileged": True}), r"containers\[engine\]\.securityContext\.privileged: "),
    (pod_spec(initContainers=[{"name": "i", "securityContext": {"privileged": True}}]), r"initContainers\[i\].*priv"),
    (pod_spec(containers=[{"name": "s", "securityContext": {"privileged": True}}]), r"containers\[s\].*privileged"),
    (pod_spec(securityContext={"windowsOptions": {"hostProcess": True}}), r"spec\.securityContext.*hostProcess: "),
    (engine(ports=[{"containerPort": 8000, "name": "x"}]), r"ports\[8000\]: "),
    (pod_spec(containers=[{"name": "s", "ports": [{"containerPort": 9800}]}]), r"containers\[s\]\.ports\[9800\]: "),
    *((engine(volumeMounts=[{"name": "x", "mountPath": path}]), rf"volumeMounts\[{re.escape(path)}\]: ") for path in (
        "/deepseekserve", "/deepseekserve/", "/deepseekserve/agent.pyz", "//deepseekserve", "/a/../deepseekserve",
        "deepseekserve", "/", "/.", "/models", "/models/lora", "/dev", "/dev/termination-log")),
    (engine(env=[{"name": "VLLM_API_KEY", "value": "x"}]), r"env\[VLLM_API_KEY\]: spec\.access\.apiKeySecretRef"),
    (metadata(labels={names.LABEL_NAME: "other"}), r"metadata\.labels\[deepseekserve\.io/name\]: "),
    (metadata(annotations={"x.deepseekserve.io/a": "b"}), r"metadata\.annotations\["),
    (metadata(labels={"pod-template-hash": "1"}), r"labels\[pod-template-hash\]: "),
    (metadata(labels={"a": True}), r"labels\[a\]: set a text: write 'true' in quotes"),
    (metadata(labels=["a"]), r"metadata\.labels: set a map"),
    (metadata(name="x"), r"metadata\.name: is the operator's: remove it"),
    ({"podTemplate": {"metadata": "x"}}, r"spec\.podTemplate\.metadata: set a map"),
    ({"podTemplate": {"spec": []}}, r"spec\.podTemplate\.spec: set a map"),
    (pod_spec(containers={"engine": {}}), r"spec\.containers: set a list"),
    (pod_spec(containers=[{"image": "x"}]), r"spec\.containers\[0\]: give it a name"),
    (pod_spec(volumes=[{"name": ""}]), r"spec\.volumes\[0\]: give it a name"),
    (pod_spec(initContainers=["x"]), r"spec\.initContainers\[0\]: give it a name"),
    (engine(env=[{"value": "x"}]), r"containers\[engine\]\.env: set a list of maps, each with its name"),
    (engine(volumeMounts="x"), r"volumeMounts: set a list of maps, each with its mountPath"),
    (engine(env=[{"name": "A"}, {"name": "A"}]), r"containers\[0\]\.env\[1\]: A stands there twice: remove one"),
    (pod_spec(containers=[{"name": "a"}, {"name": "a"}]), r"spec\.containers\[1\]: a stands there twice"),
    (engine(ports=[{"containerPort": 1}, {"containerPort": 1, "protocol": "TCP"}]), r"ports\[1\]: 1/TCP stands there"),
    ({"podTemplate": {"$patch": "delete"}}, r"^spec\.podTemplate: has no '\$patch': remove it"),
    (pod_spec(**{"$patch": "replace"}), r"spec\.podTemplate\.spec\.\$patch: is a patch's directive"),
    (engine(env=[{"name": "HOME", "$patch": "delete"}]), r"env\[0\]\.\$patch: "),
    (pod_spec(**{"$retainKeys": ["x"]}), r"\$retainKeys: "),
    ({"podTemplate": []}, r"^spec\.podTemplate: set a map"),
    ({"podTemplate": "x"}, r"^spec\.podTemplate 'x': set a map"),
    ({"podTemplate": nested(MOST_LEVELS + 2)}, r"has no 'a'|nested more than 32 levels"),
    (pod_spec(x=nested(10_000)), r"^spec\.podTemplate: is nested more than 32 levels deep.*remove that"),
    (pod_spec(x="y" * MOST_BYTES), rf"^spec\.podTemplate: is larger than {MOST_BYTES} bytes: move"),
]


@pytest.mark.parametrize(("spec", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_breaks_the_agent_or_reaches_into_the_node_is_refused_with_the_field(spec: Any, words: str) -> None:
    with pytest.raises(api.InvalidSpec, match=words) as refusal:
        render.check(cases.serve("cpu-tiny", spec))
    assert re.match(r"spec\.podTemplate[^\n]*\b(remove|set|choose|give|move|use|bind)\b[^\n]*$", str(refusal.value))


@pytest.mark.parametrize("spec", [
    pod_spec(hostNetwork=False, hostUsers=False, serviceAccountName="cpu-tiny"),
    engine(securityContext={"privileged": False}), engine(securityContext=7), pod_spec(securityContext="x"),
    engine(volumeMounts=[{"name": "x", "mountPath": "/modelsx"}, {"name": "y", "mountPath": "/cache"}]),
    engine(ports=[{"containerPort": 8000, "protocol": "UDP"}]), metadata(labels={"app.kubernetes.io/part-of": "x"}),
    pod_spec(x=nested(MOST_LEVELS - 2)),
], ids=range(8))
def test_what_is_harmless_or_for_the_api_server_to_judge_is_not_refused(spec: Any) -> None:
    render.check(cases.serve("cpu-tiny", spec))


@pytest.mark.parametrize(("levels", "refused"), [(MOST_LEVELS, False), (MOST_LEVELS + 1, True)])
def test_the_bound_on_the_nesting_is_exact(levels: int, refused: bool) -> None:
    value = {"spec": nested(levels - 1)}
    if refused:
        with pytest.raises(ValueError, match="nested"):
            PodOverlay.check(value)
    else:
        assert PodOverlay.check(value) == value


def test_the_page_has_everything_that_is_refused() -> None:
    page = (cases.FOLDER.parents[1] / "docs" / "pod-template.md").read_text(encoding="utf-8")
    assert [word for word in (*POD, *ENGINE, *VOLUMES, *PLACES) if f"`{word}`" not in page] == []
    assert "ports 8000 and 9800" in page
