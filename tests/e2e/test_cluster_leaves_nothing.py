"""The local cluster against a machine that is looked at before and after: killed half-way, raced, crashed, ended."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.cluster import archive, imagestore
from tests.cluster.components import API_SERVICE_IP
from tests.cluster.health import wait_for
from tests.cluster.local import Local
from tests.cluster.node import COVERED_SYSCTLS
from tests.cluster.services import pause_image
from tests.cluster.tools import tool
from tests.cluster.volumes import static_volume

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="the local provider needs Linux and root"),
    pytest.mark.usefixtures("alone"),       # another run's pods would come and go between two looks at the machine
]

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data"
NAME = "leaktest"
CLUSTER = Local(NAME)
NETWORK_SYSCTLS = ("net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet", "net/netfilter/nf_conntrack_max")
FOLDERS = ("/run", "/run/netns", "/run/containerd", "/var/lib", "/var/log", "/var/lib/deepseekserve-cluster")


def cluster(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line from another folder than the checkout's, as any shell would."""
    command = [sys.executable, "-m", "tests.cluster", "--provider", "local", "--name", NAME, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=True)


def started(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.cluster", "--provider", "local", "--name", NAME, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def machine() -> dict[str, object]:
    """All that a cluster could leave on this machine."""
    sysctls = [Path("/proc/sys", name) for name in (*COVERED_SYSCTLS, *NETWORK_SYSCTLS)]
    return {
        "mounts": sorted(Path("/proc/self/mounts").read_text().splitlines()),
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "routes": output("ip", "route", "show", "table", "all"),
        "firewall": firewall(),
        "sysctls": {str(f): f.read_text() for f in sysctls if f.exists()},
        "folders": {f: sorted(os.listdir(f)) for f in FOLDERS if Path(f).exists()},
        "control groups": [str(g) for g in CLUSTER.groups.left()],
        "processes": processes(),
    }


def processes() -> list[str]:
    """Every process that belongs to the cluster: by its environment, its command line or its control group."""
    ours = {p.pid for p in CLUSTER.processes.all()} | set(CLUSTER.groups.pids())
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and str(CLUSTER.state) in read(entry / "cmdline"):
            ours.add(int(entry.name))
    return sorted(f"{pid} {read(Path('/proc', str(pid), 'cmdline'))[:100]}" for pid in ours)


def lifes() -> set[tuple[int, str]]:
    """Every process of the machine with the time of its start: a number alone may be given again."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {(pid, " ".join(read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()[19:20])) for pid in pids}


def namespaces_of(pids: Iterable[int]) -> set[str]:
    return {read_link(Path(f"/proc/{pid}/ns/{kind}")) for pid in pids for kind in ("net", "mnt")}


def firewall() -> list[str]:
    """Rules of this machine, without their packet counters and the time of the listing."""
    lines = output("iptables-save") + output("ip6tables-save")
    return [re.sub(r"\[\d+:\d+\]", "", line) for line in lines if not line.startswith("#")]


def output(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def read(file: Path) -> str:
    try:
        return file.read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def read_link(link: Path) -> str:
    try:
        return link.readlink().name
    except OSError:
        return ""


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    command = [str(CLUSTER.state / "bin" / "kubectl"), f"--kubeconfig={CLUSTER.kubeconfig}", *arguments]
    return subprocess.run(command, input=stdin, text=True, check=True, capture_output=True).stdout


def run_a_pod(name: str = "one", image: str = "", **spec: object) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "one", "image": image or pause_image(), "imagePullPolicy": "Never"}], **spec},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")


@pytest.fixture
def before() -> Iterator[dict[str, object]]:
    """The machine without the cluster; whatever a failing test leaves is ended."""
    cluster("down")
    yield machine()
    cluster("down")


def test_a_cluster_with_a_pod_is_ended_without_a_trace(before: dict[str, object]) -> None:
    cluster("up")
    run_a_pod()
    own = namespaces_of(CLUSTER.groups.pids()) - namespaces_of([os.getpid()])
    assert len(own) >= 4      # the node's and the pod's
    alive = lifes()
    cluster("down")
    assert machine() == before
    assert namespaces_of(pid for pid, _ in alive & lifes()) & own == set()


@pytest.mark.parametrize(
    "said", ["making certificates", "starting the node", "starting the control plane", "starting containerd"]
)
def test_a_start_killed_half_way_is_ended_without_a_trace(before: dict[str, object], said: str) -> None:
    kill_when_it_says(said)
    cluster("down")
    assert machine() == before


def test_a_start_killed_half_way_is_continued_and_a_crashed_node_repaired(before: dict[str, object]) -> None:
    kill_when_it_says("starting containerd")
    cluster("up")
    run_a_pod()
    for component in ("kubelet", "containerd", "etcd"):
        crashed = CLUSTER.processes.main(component)
        assert crashed
        os.kill(crashed.pid, signal.SIGKILL)
    cluster("up")
    run_a_pod()
    cluster("stop")
    assert processes() == []
    cluster("up")
    run_a_pod()
    node = CLUSTER.processes.main("node")
    assert node
    os.kill(node.pid, signal.SIGKILL)
    cluster("up")
    run_a_pod()
    cluster("down")
    assert machine() == before


def test_two_starts_at_once_take_turns(before: dict[str, object]) -> None:
    with started("up") as first, started("up") as second:
        said = [p.communicate(timeout=300)[1] for p in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert sum("waiting: process" in s for s in said) == 1
    assert sum("starting the node" in s for s in said) == 1


def test_a_cluster_is_equipped_with_gpus_nodes_made_of_air_images_and_volumes(
    before: dict[str, object], tmp_path: Path
) -> None:
    begins_with, comes_later = tmp_path / "with.tar", tmp_path / "later.tar"
    archive.write(begins_with, "localhost/leaktest:1", tool("pause"))
    archive.write(comes_later, "localhost/leaktest:2", tool("pause"))
    store = imagestore.store_of([begins_with])
    shutil.rmtree(store, ignore_errors=True)
    cluster("up", "--gpus", "2", "--kwok", str(DATA / "nodes-of-air.yaml"), "--with", str(begins_with))
    gpus = kubectl("get", "nodes", "-o", r"jsonpath={.items[*].status.allocatable.nvidia\.com/gpu}")
    assert sorted(gpus.split()) == ["1", "2", "8"]
    a_t4 = {"nvidia.com/gpu.product": "Tesla-T4"}
    run_a_pod("air", nodeSelector=a_t4, tolerations=[{"operator": "Exists"}])
    run_a_pod("real")      # it tolerates nothing, so it cannot land on air
    assert kubectl("get", "pod", "real", "-o", "jsonpath={.spec.nodeName}") == CLUSTER.node_name()

    assert store.exists()
    shutil.rmtree(store)                    # what the node has of it are links of its own
    said = [cluster("load", str(file)).stderr for file in (begins_with, comes_later, comes_later)]
    assert ["already there" in s for s in said] == [True, False, True]
    assert {"localhost/leaktest:1", "localhost/leaktest:2"} <= CLUSTER.images()
    run_a_pod("loaded", image="localhost/leaktest:1")

    folder = Path(cluster("volume", "models").stdout.strip())
    assert folder.stat().st_mode & 0o777 == 0o777
    for made in static_volume("v", claim="c", namespace="default", node=CLUSTER.node_name(), path=str(folder)):
        kubectl("apply", "-f", "-", stdin=json.dumps(made))
    kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/c", "--timeout=30s")

    resolved = cluster("exec", "--", "getent", "hosts", "kubernetes.default.svc.cluster.local").stdout
    assert resolved.split()[0] == API_SERVICE_IP
    cluster("down")
    assert machine() == before


def kill_when_it_says(text: str) -> None:
    with started("up") as process:
        assert process.stderr
        assert any(text in line for line in process.stderr)
        process.kill()
    wait_for(lambda: process.poll() is not None, "the killed process ends", 10)
