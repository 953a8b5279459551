"""One real control plane (etcd, API server, controllers; no node) for all integration tests of a run.

    def test_x(kubectl: Kubectl) -> None:          kubectl("get", "dss", "-A"); kubectl("apply", "-f", "-", stdin=text)
    def test_y(kubeconfig: Path) -> None:          any client, as cluster admin
    def test_z(control_plane: ControlPlane)        .server .kubeconfig .log("apiserver") .folder/"pki"/ca.crt

Tests share it: use a namespace of your own (`namespace`, and `kubectl_here` which works in it), and remove what lies
outside of it.
"""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.integration.operating import Operator, Pods, install_crd, least_privileged, running
from tests.lab.kubectl import Kubectl


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A control plane that lives as long as the test run."""
    with ControlPlane() as running:
        yield running


@pytest.fixture(scope="session")
def kubeconfig(control_plane: ControlPlane) -> Path:
    """Path of the admin's kubeconfig."""
    return control_plane.kubeconfig


@pytest.fixture(scope="session")
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """The real kubectl as admin, in the namespace `default`; raises KubectlFailed with what it complained about."""
    return Kubectl(control_plane.kubectl_binary, control_plane.kubeconfig)


@pytest.fixture
def kubectl_here(kubectl: Kubectl, namespace: str) -> Kubectl:
    """The same in the test's own namespace."""
    return replace(kubectl, namespace=namespace)


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A namespace for one test; it is deleted afterwards without waiting."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def operator(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """The operator as a process with the chart's own permissions; one for each test module."""
    install_crd(kubectl)
    folder = tmp_path_factory.mktemp("operator")
    with running(Operator(least_privileged(kubectl, "default", folder), folder / "log")) as started:
        yield started


@pytest.fixture
def here(operator: Operator, kubectl_here: Kubectl) -> Kubectl:
    """kubectl in a namespace of its own, watched by the operator."""
    return kubectl_here


@pytest.fixture
def pods(here: Kubectl) -> Iterator[Pods]:
    """The pods that real Deployments make, whose kubelet and agent the test plays."""
    found = Pods(here)
    yield found
    found.close()
