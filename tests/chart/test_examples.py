"""Every file in examples/, and the pod made of it, is accepted by a real API server in a `restricted` namespace."""

import json
from collections.abc import Iterator

import pytest
import yaml

from deepseekserve import api
from tests.chart.chart import NAMESPACE, ROOT, Object, one, render_text
from tests.golden import cases
from tests.lab.kubectl import Kubectl, KubectlFailed, await_crd

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
UID = "6f9a3f6e-2c53-4d0c-9a53-9a5c9b7a0099"          # the API server gives one; children name it as their owner's

each_text = pytest.mark.parametrize("text", [f.read_text() for f in EXAMPLES], ids=[f.stem for f in EXAMPLES])
WITH_A_JOB = [f for f in EXAMPLES if "kind: Job" in f.read_text()]
each_text_with_a_job = pytest.mark.parametrize(
    "text", [f.read_text() for f in WITH_A_JOB], ids=[f.stem for f in WITH_A_JOB]
)


@pytest.fixture(scope="module")
def served(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl on a server that knows DeepSeekServes."""
    crd = render_text("--show-only", "templates/crd.yaml")
    kubectl("apply", "-f", "-", stdin=crd)
    await_crd(kubectl, "deepseekserves.deepseekserve.io")
    yield kubectl
    kubectl("delete", "-f", "-", stdin=crd)


def objects(text: str) -> list[Object]:
    """The objects of one file."""
    return [o for o in yaml.safe_load_all(text) if o]


@each_text
def test_it_is_accepted_with_strict_validation(text: str, served: Kubectl) -> None:
    served("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)


@each_text
def test_it_declares_one_resource(text: str) -> None:
    assert [o["kind"] for o in objects(text)].count("DeepSeekServe") == 1


@each_text
def test_its_deployment_is_accepted_and_the_pod_meets_pod_security_restricted(text: str, served: Kubectl) -> None:
    resource = one(objects(text), "DeepSeekServe")
    identified = {**resource["metadata"], "namespace": NAMESPACE, "uid": UID}
    rendered = cases.manifests(api.DeepSeekServe.parse({**resource, "metadata": identified}))
    account = one(rendered, "ServiceAccount")
    # Without its owner, for whose absence garbage collection would take it away.
    served.apply({**account, "metadata": {**account["metadata"], "ownerReferences": []}})
    admitted(served, one(rendered, "Deployment"))
    admitted(served, cases.pod_of(rendered))


@each_text_with_a_job
def test_its_job_meets_pod_security_restricted(text: str, served: Kubectl) -> None:
    job = one(objects(text), "Job")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": job["metadata"], "spec": job["spec"]["template"]["spec"]}
    admitted(served, pod)


@each_text_with_a_job
def test_the_commands_in_its_head_apply_the_model_first(text: str, served: Kubectl) -> None:
    claim, job = (one(objects(text), kind)["metadata"]["name"] for kind in ("PersistentVolumeClaim", "Job"))
    first = served("apply", "--dry-run=server", "--selector=step=model", "-f", "-", stdin=text)
    assert [line.split()[0] for line in first.splitlines()] == [f"persistentvolumeclaim/{claim}", f"job.batch/{job}"]
    assert "--selector=step=model" in text
    assert f"kubectl wait --for=condition=Complete job/{job} " in text


def test_a_pod_of_an_example_that_breaks_the_rules_is_not_admitted(served: Kubectl) -> None:
    job = one(objects(next(f.read_text() for f in EXAMPLES if f.stem == "cpu-tiny")), "Job")
    spec = {**job["spec"]["template"]["spec"], "hostNetwork": True}
    with pytest.raises(KubectlFailed, match="violates PodSecurity"):
        admitted(served, {"apiVersion": "v1", "kind": "Pod", "metadata": job["metadata"], "spec": spec})


def admitted(served: Kubectl, wanted: Object) -> None:
    """The API server would make the object; a warning is as bad as a refusal."""
    arguments = ("--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
    served("create", *arguments, stdin=json.dumps(wanted))
