"""The control plane that all other integration tests stand on."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.health import wait_for
from tests.lab.kubectl import Kubectl, KubectlFailed, Object

ROOT = Path(__file__).parents[2]


def config_map(name: str, **metadata: object) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def test_the_server_is_the_pinned_version(kubectl: Kubectl) -> None:
    assert "Server Version: v1.34" in kubectl("version")


def test_garbage_collection_removes_what_a_deleted_owner_leaves(kubectl_here: Kubectl) -> None:
    kubectl_here.apply(config_map("owner"))
    uid = kubectl_here("get", "configmap", "owner", "-o", "jsonpath={.metadata.uid}")
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    kubectl_here.apply(config_map("child", ownerReferences=[owner]))
    kubectl_here("delete", "configmap", "owner")
    kubectl_here("wait", "--for=delete", "configmap/child", "--timeout=60s")


def test_service_accounts_get_tokens_that_the_server_accepts(kubectl_here: Kubectl, namespace: str) -> None:
    kubectl_here("create", "serviceaccount", "someone")
    token = kubectl_here("create", "token", "someone").strip()
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = kubectl_here("create", "-f", "-", "-o", "jsonpath={.status.user.username}", stdin=json.dumps(review))
    assert answer == f"system:serviceaccount:{namespace}:someone"


def test_rbac_is_enforced(kubectl_here: Kubectl, namespace: str) -> None:
    assert kubectl_here("auth", "can-i", "get", "secrets").strip() == "yes"
    with pytest.raises(KubectlFailed, match="Forbidden"):
        kubectl_here("get", "secrets", f"--as=system:serviceaccount:{namespace}:default")


def test_nothing_stays_when_it_stops() -> None:
    with ControlPlane() as second:
        folder = second.folder
        assert processes_of(folder)
    assert processes_of(folder) == []
    assert not folder.exists()


def test_nothing_runs_on_when_the_process_that_started_it_is_killed() -> None:
    script = (
        "from tests.cluster.controlplane import ControlPlane\n"
        "with ControlPlane() as running:\n  print(running.folder, flush=True)\n  input()"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        folder = Path(owner.stdout.readline().strip())
        assert len(processes_of(folder)) == 3
        owner.kill()
    wait_for(lambda: not processes_of(folder), "its processes end", 10)
    shutil.rmtree(folder)


def processes_of(folder: Path) -> list[str]:
    """Command lines of the processes that mention the folder of a control plane."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(folder) in line:
                found.append(line)
    return found
