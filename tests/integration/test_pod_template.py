"""`spec.podTemplate` on a real API server: merged into live pods, or refused with the field, and nothing torn down."""

import json
import re
from typing import Any

import pytest

from deepseekserve import names
from tests.integration.operating import Operator, eventually, resource
from tests.lab.kubectl import Kubectl, Object

SIDECAR = {"name": "logs", "image": "example.com/logs:1", "resources": {"limits": {"memory": "0.5Gi"}}}
OVERLAY: dict[str, Any] = {
    "metadata": {"labels": {"team": "a"}, "annotations": {"prometheus.io/scrape": "true"}},
    "spec": {
        "containers": [
            {
                "name": "engine",
                "ports": [{"containerPort": 9100, "name": "metrics"}],
                "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
                "resources": {"limits": {"rdma/ib": "1"}},
            },
            SIDECAR,
        ],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "1024Mi"}}, {"name": "cache", "emptyDir": {}}],
        "imagePullSecrets": [{"name": "registry"}],
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["mirror"]}],
    },
}


def put(kubectl: Kubectl, overlay: object, name: str = "tiny") -> None:
    """Apply a resource with this podTemplate."""
    kubectl.apply(resource(name, podTemplate=overlay))


def invalid(kubectl: Kubectl, name: str = "tiny") -> str:
    """The message of the resource's InvalidSpec, once the status speaks of the present spec."""
    def look() -> str:
        serve = kubectl.get("dss", name) or {}
        status = serve.get("status", {})
        failure = status.get("failure") or {}
        is_current = status.get("observedGeneration") == serve["metadata"]["generation"]
        return str(failure["message"]) if is_current and failure.get("reason") == "InvalidSpec" else ""
    return eventually(look, f"InvalidSpec of {name}")


def deployment(kubectl: Kubectl, name: str = "tiny") -> Object:
    return eventually(lambda: kubectl.get("deployment", name), f"the Deployment {name}")


def template(kubectl: Kubectl) -> Object:
    found: Object = deployment(kubectl)["spec"]["template"]
    return found


def test_it_is_merged_into_the_pods_and_then_nothing_is_left_to_repair(operator: Operator, here: Kubectl) -> None:
    put(here, OVERLAY)
    live = template(here)
    engine, sidecar = live["spec"]["containers"]
    assert live["metadata"]["labels"].items() >= {"team": "a", names.LABEL_NAME: "tiny"}.items()
    assert [port["containerPort"] for port in engine["ports"]] == [8000, 9800, 9100]
    assert engine["resources"]["limits"] == {"memory": "4Gi", "rdma/ib": "1"}
    assert sidecar["name"] == "logs"
    volumes = [volume["name"] for volume in live["spec"]["volumes"]]
    assert volumes == ["agent", "models", "cache", "tmp", "shm", "scratch"]
    version = deployment(here)["metadata"]["generation"]
    put(here, {**OVERLAY, "metadata": {**OVERLAY["metadata"], "annotations": {"prometheus.io/scrape": "false"}}})
    eventually(lambda: template(here)["metadata"]["annotations"]["prometheus.io/scrape"] == "false", "the edit")
    assert deployment(here)["metadata"]["generation"] == version + 1, "one write for one edit"


def test_what_it_no_longer_says_goes_from_the_pods(here: Kubectl) -> None:
    put(here, OVERLAY)
    deployment(here)
    put(here, {})
    eventually(lambda: "scratch" not in json.dumps(template(here)), "pods without the overlay")
    live = json.dumps(template(here))
    assert not any(word in live for word in ("team", "rdma/ib", "9100", "registry", "hostAliases"))


@pytest.mark.parametrize(("overlay", "words"), [
    ({"spec": {"hostNetwork": True}}, "spec.podTemplate.spec.hostNetwork: .*remove it"),
    ({"spec": {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}}, "hostPath: .*PersistentVolumeClaim"),
    ({"spec": {"toleratons": []}}, "toleratons"),
    ({"spec": {"containers": [{"name": "engine", "stdin": "yes"}]}}, "stdin|string"),
    ({"spec": {"terminationGracePeriodSeconds": 1}}, "spec.rollout.drainSeconds"),
    ({"spec": {"dnsPolicy": "Never"}}, "dnsPolicy.*Never"),
    ({"metadata": {"labels": {"team": "not a label!"}}}, "a valid label must be"),
    ({"kind": "Pod"}, "spec.podTemplate: has no 'kind'"),
], ids=["host network", "host path", "typo", "type", "grace", "value", "label", "part"])
@pytest.mark.parametrize("new", [True, False], ids=["new", "edited"])
def test_what_is_refused_is_told_and_what_serves_stays(here: Kubectl, overlay: object, words: str, new: bool) -> None:
    if not new:
        put(here, {})
        before = template(here)
    put(here, overlay)
    message = invalid(here)
    assert re.search(words, message), message
    if not new:
        assert template(here) == before
    put(here, {"metadata": {"labels": {"team": "b"}}})
    eventually(lambda: template(here)["metadata"]["labels"].get("team") == "b", "the mended spec")


def test_one_that_is_nested_as_deep_as_the_api_server_allows_is_told_and_stops_nobody_else(
    operator: Operator, here: Kubectl,
) -> None:
    before = operator.process and operator.process.pid
    deep = '{"a":' * 9900 + "1" + "}" * 9900
    text = json.dumps(resource("deep", podTemplate="HERE")).replace('"HERE"', f'{{"spec":{deep}}}')
    path = f"/apis/{names.API_VERSION}/namespaces/{here.namespace}/{names.PLURAL}"
    here("create", "--raw", path, "-f", "-", stdin=text)
    put(here, {}, "other")
    deployment(here, "other")
    assert "nested more than 32 levels deep" in eventually(
        lambda: json.loads(here("get", "dss", "deep", "-o", "jsonpath={.status.failure}") or "{}").get("message"),
        "InvalidSpec of deep")
    assert operator.process
    assert (operator.process.pid, operator.has_ended()) == (before, False)
    here("delete", "dss", "deep")
