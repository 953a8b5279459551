"""The life of a release on a real API server: install, upgrade, uninstall, install again. What users made stays."""

import pytest

from tests.chart.chart import CHART, NAMESPACE, RELEASE, helm
from tests.lab.kubectl import Kubectl, await_crd

CRD = "deepseekserves.deepseekserve.io"
OBJECTS = "deployments,services,serviceaccounts,poddisruptionbudgets,roles,rolebindings"
SERVE = {
    "apiVersion": "deepseekserve.io/v1alpha1", "kind": "DeepSeekServe", "metadata": {"name": "mine"},
    "spec": {"model": {"source": "hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"}},
}


def run(kubectl: Kubectl, *args: str) -> str:
    """helm against the test's API server; no pod ever runs there, so nothing waits for one."""
    return helm(*args, "--namespace", NAMESPACE, "--kubeconfig", str(kubectl.kubeconfig))


def left(kubectl: Kubectl) -> list[str]:
    """What belongs to the release, in its namespace and beside it."""
    selector = f"app.kubernetes.io/instance={RELEASE}"
    return [
        *kubectl("get", OBJECTS, "-l", selector, "-o", "name").split(),
        *kubectl("get", "clusterroles,clusterrolebindings", "-l", selector, "-o", "name").split(),
    ]


@pytest.fixture
def installed(kubectl: Kubectl) -> Kubectl:
    """kubectl on a server where the chart is installed and a user has made a resource."""
    run(kubectl, "upgrade", "--install", RELEASE, str(CHART))
    await_crd(kubectl, CRD)
    kubectl.apply(SERVE)
    return kubectl


def test_an_upgrade_changes_the_operator_and_leaves_the_resources(installed: Kubectl) -> None:
    before = installed.get("dss", "mine")
    run(installed, "upgrade", RELEASE, str(CHART), "--set", "replicas=2", "--set", "podDisruptionBudget.enabled=true")
    deployment = installed.get("deployment", RELEASE)
    assert deployment
    assert deployment["spec"]["replicas"] == 2
    assert installed.get("dss", "mine") == before


def test_uninstalling_takes_the_operator_and_keeps_crd_and_resources(installed: Kubectl) -> None:
    before = installed.get("dss", "mine")
    printed = run(installed, "uninstall", RELEASE, "--wait")
    assert CRD in printed, "helm says what it keeps"
    assert left(installed) == []
    assert installed.get("dss", "mine") == before


def test_installing_again_takes_over_what_was_kept(installed: Kubectl) -> None:
    before = installed.get("dss", "mine")
    run(installed, "uninstall", RELEASE, "--wait")
    run(installed, "install", RELEASE, str(CHART))
    assert installed.get("dss", "mine") == before


def test_the_notes_name_the_next_three_commands(kubectl: Kubectl) -> None:
    trial = ["upgrade", "--install", RELEASE, str(CHART), "--dry-run=server"]
    notes = run(kubectl, *trial).partition("NOTES:")[2]
    commands = [line.split() for line in notes.splitlines() if line.strip().startswith("kubectl")]
    assert [command[1] for command in commands] == ["--namespace", "apply", "get"]
    assert "`image` is not set" in notes
    assert "`image` is not set" not in run(kubectl, *trial, "--set", "image=x:1")
