"""Every file in examples/ is accepted by a real API server, in a namespace that enforces Pod Security `restricted`."""

import json
from collections.abc import Iterator

import pytest
import yaml

from tests.chart.chart import ROOT, Object, render_text
from tests.lab.kubectl import Kubectl

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.fixture(scope="module")
def served(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl on a server that knows DeepSeekServes."""
    crd = render_text("--show-only", "templates/crd.yaml")
    kubectl("apply", "-f", "-", stdin=crd)
    kubectl("wait", "--for=condition=Established", "crd/deepseekserves.deepseekserve.io", "--timeout=30s")
    yield kubectl
    kubectl("delete", "-f", "-", stdin=crd)


def objects(text: str) -> list[Object]:
    """The objects of one file."""
    return [o for o in yaml.safe_load_all(text) if o]


@pytest.mark.parametrize("text", [f.read_text() for f in EXAMPLES], ids=[f.stem for f in EXAMPLES])
def test_it_is_accepted_with_strict_validation(text: str, served: Kubectl) -> None:
    served("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)


@pytest.mark.parametrize("text", [f.read_text() for f in EXAMPLES], ids=[f.stem for f in EXAMPLES])
def test_it_declares_one_resource(text: str) -> None:
    assert [o["kind"] for o in objects(text)].count("DeepSeekServe") == 1


@pytest.mark.parametrize("text", [f.read_text() for f in EXAMPLES if "kind: Job" in f.read_text()])
def test_its_job_meets_pod_security_restricted(text: str, served: Kubectl) -> None:
    for job in [o for o in objects(text) if o["kind"] == "Job"]:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": job["metadata"], "spec": job["spec"]["template"]["spec"]}
        served("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(pod))


def test_the_commands_in_the_tiny_models_file_apply_the_model_first(served: Kubectl) -> None:
    text = next(f.read_text() for f in EXAMPLES if f.stem == "cpu-tiny")
    first = served("apply", "--dry-run=server", "--selector=step=model", "-f", "-", stdin=text)
    named = [line.split()[0] for line in first.splitlines()]
    assert named == ["persistentvolumeclaim/models", "job.batch/make-tiny-model"]
