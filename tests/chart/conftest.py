"""The chart's judges: the real Helm, and the real API server of a control plane without nodes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.chart.chart import NAMESPACE
from tests.cluster.controlplane import ControlPlane
from tests.lab.kubectl import Kubectl
from tests.lab.setup import restricted_namespace


@pytest.fixture(scope="session")
def kubectl() -> Iterator[Kubectl]:
    """kubectl in one of three namespaces that enforce Pod Security `restricted`, on a control plane of these tests."""
    with ControlPlane() as running:
        kubectl = Kubectl(running.kubectl_binary, running.kubeconfig, NAMESPACE)
        for namespace in (NAMESPACE, "team-a", "team-b"):
            restricted_namespace(replace(kubectl, namespace="default"), namespace)
        yield kubectl
