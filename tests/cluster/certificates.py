"""Which certificates a control plane and a whole cluster need: the names in them decide what each component may do."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.cluster import pki
from tests.cluster.components import API_SERVICE_IP

_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
CONTROL_PLANE = {"admin": "/O=system:masters/CN=admin", "controller-manager": "/CN=system:kube-controller-manager"}
CLUSTER = {**CONTROL_PLANE, "scheduler": "/CN=system:kube-scheduler", "proxy": "/CN=system:kube-proxy"}


def for_control_plane(folder: Path, address: str) -> None:
    """Authority, API server and its clients; the kubeconfigs follow once the port is known."""
    _servers_and_clients(folder, [address], CONTROL_PLANE)


def for_cluster(folder: Path, *, address: str, port: int, node: str, context: str) -> None:
    """Everything for a cluster with one node, kubeconfigs included; the folder appears only when it is complete."""
    scratch = folder.with_name(f".{folder.name}")
    shutil.rmtree(scratch, ignore_errors=True)      # of a killed run
    _servers_and_clients(scratch, [address, "127.0.0.1"], CLUSTER)
    own = [f"DNS:{node}", f"IP:{address}"]
    pki.certificate(scratch, "kubelet", f"/O=system:nodes/CN=system:node:{node}", own)
    for user in (*CLUSTER, "kubelet"):
        pki.kubeconfig(scratch, user, f"https://{address}:{port}", context)
    scratch.rename(folder)


def _servers_and_clients(folder: Path, addresses: Sequence[str], clients: dict[str, str]) -> None:
    pki.authority(folder)
    alternatives = [*(f"DNS:{n}" for n in _NAMES), *(f"IP:{a}" for a in (API_SERVICE_IP, *addresses))]
    pki.certificate(folder, "apiserver", "/CN=kube-apiserver", alternatives)
    pki.certificate(folder, "aggregator", "/CN=aggregator")
    for user, subject in clients.items():
        pki.certificate(folder, user, subject)
