"""The node: one idle process that holds a network and a mount namespace, which everything else of the cluster enters.

When its last process ends, the kernel takes the namespaces away, and with them every mount, pod and interface.
Inside it looks like a machine of its own: /run and /var are private, the sysctls that a kubelet sets are covered.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.errors import ClusterError
from tests.cluster.health import wait_for
from tests.cluster.processes import Processes

HOLDER = "node"
# Settings of the whole machine that the kubelet would change; it finds a file of its own in their place.
COVERED_SYSCTLS = (
    "vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
)
# folder of the cluster's state -> where the node has it
IMAGES = "containerd"
PLACES = {"kubelet": "/var/lib/kubelet", IMAGES: "/var/lib/containerd", "pods": "/var/log/pods"}
_OWN = "/run/dss-node"
_READY = f"{_OWN}/ready"


@dataclass(frozen=True)
class Node:
    """A running holder process and its namespaces."""

    holder: int

    @property
    def root(self) -> Path:
        """The node's root folder as this machine sees it."""
        return Path(f"/proc/{self.holder}/root")

    def is_ready(self) -> bool:
        """Both namespaces are there and all mounts are made."""
        return self._is_apart() and (self.root / _READY.lstrip("/")).exists()

    def ready_since(self) -> float:
        """When the node was prepared (seconds of wall clock); everything in it is younger."""
        return (self.root / _READY.lstrip("/")).stat().st_mtime

    def command(self, *command: str) -> list[str]:
        """The command, to be run in both namespaces."""
        return ["nsenter", f"--target={self.holder}", "--net", "--mount", "--", *command]

    def network_command(self, *command: str) -> list[str]:
        """The command, to be run in the node's network with this machine's files."""
        return ["nsenter", f"--target={self.holder}", "--net", "--", *command]

    def prepare(self, state: Path) -> None:
        """Make the node's mounts; nothing of it is visible outside."""
        wait_for(self._is_apart, "the node's namespaces", 10)
        if str(state).startswith("/run/"):
            raise ClusterError(f"{state}: a cluster's state cannot lie under /run, which the node has to itself")
        self._make_private_run_and_var(state)
        self._cover_sysctls()
        for folder, place in PLACES.items():
            self._folder(place)
            self._run("mount", "--bind", str(state / folder), place)
        self._run("mount", "--make-rshared", "/")
        (self.root / _READY.lstrip("/")).touch()

    def _make_private_run_and_var(self, state: Path) -> None:
        """A fresh /run, and over /var a layer in memory through which the cluster's state shows."""
        self._run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        for folder in ("/run/lock", "/run/netns", f"{_OWN}/upper", f"{_OWN}/work", f"{_OWN}/var"):
            self._folder(folder)
        layers = f"lowerdir=/var,upperdir={_OWN}/upper,workdir={_OWN}/work"
        self._run("mount", "-t", "overlay", "-o", layers, "overlay", f"{_OWN}/var")
        if str(state).startswith("/var/"):
            self._run("mount", "--bind", str(state), f"{_OWN}{state}")
        self._run("mount", "--rbind", f"{_OWN}/var", "/var")

    def _cover_sysctls(self) -> None:
        for name in COVERED_SYSCTLS:
            setting, cover = Path("/proc/sys", name), f"{_OWN}/{name.replace('/', '.')}"
            if setting.exists():
                (self.root / cover.lstrip("/")).write_text(setting.read_text())
                self._run("mount", "--bind", cover, str(setting))

    def _folder(self, path: str) -> None:
        (self.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _is_apart(self) -> bool:
        """The holder has left this machine's namespaces: from then on nothing done inside can reach the outside."""
        kinds = ("net", "mnt")
        return all(os.readlink(f"/proc/{self.holder}/ns/{k}") != os.readlink(f"/proc/self/ns/{k}") for k in kinds)

    def _run(self, *command: str) -> None:
        run(self.command(*command))


def current(processes: Processes) -> Node | None:
    """The node of a running cluster; None when its holder is gone or was interrupted while being prepared."""
    holder = processes.main(HOLDER)
    if holder is None:
        return None
    node = Node(holder.pid)
    return node if node.is_ready() else None


def start(processes: Processes, pause: Path) -> Node:
    """Start a holder and prepare its namespaces; the caller has ended whatever was there before."""
    processes.ensure(HOLDER, ["unshare", "--net", "--mount", "--propagation=slave", str(pause)])
    wait_for(lambda: processes.main(HOLDER), "the node's process", 10)
    holder = processes.main(HOLDER)
    assert holder is not None
    node = Node(holder.pid)
    node.prepare(processes.state)
    return node
