"""Goldens, judged by their real consumer: the API server, with strict validation and Pod Security `restricted`."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from tests.golden import cases
from tests.lab.kubectl import Kubectl, KubectlFailed

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}


@pytest.fixture(scope="module")
def judge(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl beside the namespace and the RuntimeClass that the goldens speak of."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "golden", "labels": RESTRICTED}}
    runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "gpu"}, "handler": "runc"}
    kubectl.apply(namespace, runtime)
    yield replace(kubectl, namespace="golden")
    kubectl("delete", "namespace/golden", "runtimeclass/gpu", "--wait=false")


def manifests(case: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((cases.FOLDER / f"{case}.yaml").read_text()))


def one(case: str, kind: str) -> dict[str, Any]:
    """The manifest of that kind without its owner, for whose absence garbage collection would take it away."""
    (found,) = (o for o in manifests(case) if o["kind"] == kind)
    return {**found, "metadata": {**found["metadata"], "ownerReferences": []}}


def judged(judge: Kubectl, *objects: dict[str, Any]) -> list[dict[str, Any]]:
    """Dry-run on the server; what it would store. A warning (Pod Security's among them) is as bad as a refusal."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    arguments = ("apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-o", "json", "-f", "-")
    answer = json.loads(judge(*arguments, stdin=text))
    return list(answer["items"]) if answer["kind"] == "List" else [answer]


def missing(sent: Any, stored: Any, path: str = "") -> list[str]:
    """Paths of what was sent and is not what would be stored."""
    if isinstance(sent, dict) and isinstance(stored, dict):
        return [gap for key, value in sent.items() for gap in missing(value, stored.get(key), f"{path}.{key}")]
    if isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        pairs = enumerate(zip(sent, stored, strict=True))
        return [gap for index, pair in pairs for gap in missing(*pair, f"{path}[{index}]")]
    return [] if sent == stored else [f"{path}: {sent!r} became {stored!r}"]


@pytest.mark.parametrize("case", cases.CASES)
def test_the_api_server_takes_every_manifest_as_it_is(judge: Kubectl, case: str) -> None:
    sent = manifests(case)
    stored = judged(judge, *sent)
    assert [o["kind"] for o in stored] == [o["kind"] for o in sent]
    assert [gap for pair in zip(sent, stored, strict=True) for gap in missing(*pair)] == []


@pytest.mark.parametrize("case", cases.CASES)
def test_the_pod_is_admitted_where_pod_security_is_restricted(judge: Kubectl, case: str) -> None:
    judge.apply(one(case, "ServiceAccount"))
    (pod,) = judged(judge, cases.pod_of(manifests(case)))
    assert pod["spec"]["containers"][0]["name"] == "engine"


def test_a_pod_that_breaks_the_rules_is_not_admitted_there(judge: Kubectl) -> None:
    pod = cases.pod_of(manifests("cpu-tiny"))
    pod["spec"]["serviceAccountName"] = "default"
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(KubectlFailed, match="violates PodSecurity"):
        judged(judge, pod)


def test_what_a_stored_revision_says_cannot_be_edited_afterwards(judge: Kubectl) -> None:
    revision = one("gpu", "ControllerRevision")
    edit = ("--type=merge", "--patch", '{"data": {"schema": 2}}')
    judge.apply(revision)
    with pytest.raises(KubectlFailed, match="immutable"):
        judge("patch", "controllerrevision", revision["metadata"]["name"], *edit)
