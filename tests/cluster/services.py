"""Starts what runs in a local cluster's node, in order: etcd, API server, controllers, then containerd, kubelet, DNS.

Each is left alone while it runs with the same command and configuration, and started again when either has changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import archive, packages
from tests.cluster.components import Programs
from tests.cluster.configuration import Configuration
from tests.cluster.containerd import Containerd
from tests.cluster.errors import ClusterError
from tests.cluster.health import ApiServer, wait_for
from tests.cluster.network import Link
from tests.cluster.node import Node
from tests.cluster.nodeview import NodeView
from tests.cluster.processes import Processes
from tests.cluster.progress import say
from tests.cluster.tools import RECIPES, key

API_PORT = 6443
START_S = 120      # 5 s on an idle machine
COMPONENTS = ("etcd", "apiserver", "controller-manager", "scheduler", "containerd", "kubelet", "proxy", "coredns")


@dataclass(frozen=True)
class Services:
    """The services of one cluster, to be started in `node`; `built` holds the programs by name."""

    processes: Processes
    node: Node
    link: Link
    node_name: str
    cgroup_root: str
    built: Mapping[str, Path]

    @property
    def _state(self) -> Path:
        return self.processes.state

    @property
    def _programs(self) -> Programs:
        return Programs(self.built["kubernetes"], self._state / "pki")

    def start(self) -> None:
        """Have everything run; returns when the node is ready."""
        self._start_control_plane()
        self._start_node()
        view = self.view()
        self._wait(view.node_is_ready, f"node {self.node_name}", "kubelet")
        self._wait(lambda: not view.stale_pods(), f"every pod that was on {self.node_name} before", "kubelet")

    def view(self) -> NodeView:
        """The node as the API server shows it."""
        return NodeView(api_server(self._state, self.link), self.node_name, self.node.ready_since())

    def _start_control_plane(self) -> None:
        etcd_url, peer_url = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
        commands = {
            "etcd": self._programs.etcd(self._state / "etcd", etcd_url, peer_url),
            "apiserver": self._programs.apiserver(etcd_url, self.link.node, API_PORT),
            "controller-manager": self._programs.controller_manager(),
            "scheduler": self._programs.scheduler(),
        }
        for component, command in commands.items():
            started = self.processes.ensure(component, self.node.network_command(*command))
            if component == "apiserver":
                if started:
                    say("starting the control plane")
                self._wait(api_server(self._state, self.link).is_ready, "the API server", component)

    def _start_node(self) -> None:
        files = self._configuration().write()
        kubelet = self._programs.kubelet(files["kubelet.json"], self.node_name, self.link.node)
        proxy = self._programs.proxy(files["proxy.json"])
        inside, network = self.node.command, self.node.network_command
        commands = {
            "containerd": (inside("containerd", f"--config={files['containerd.toml']}"), "containerd.toml"),
            "kubelet": (inside(*kubelet), "kubelet.json"),
            "proxy": (network(*proxy), "proxy.json"),
            "coredns": (network(str(self.built["coredns"]), f"-conf={files['Corefile']}"), "Corefile"),
        }
        for component, (command, file) in commands.items():
            started = self.processes.ensure(component, command, made_of=[files[file]])
            if component == "containerd":
                if started:
                    say("starting containerd, kubelet, proxy and DNS")
                self._import_pause_image()

    def _import_pause_image(self) -> None:
        containerd, pause = Containerd(self.node), self.built["pause"]
        file = pause.with_name("image.tar")
        if not file.exists():
            archive.write(file, pause_image(), pause)
        self._wait(containerd.answers, "containerd", "containerd")
        if pause_image() not in containerd.images():
            containerd.load(file)

    def _configuration(self) -> Configuration:
        cni_folder = packages.cni_folder()
        assert cni_folder is not None
        return Configuration(
            self._state, self.node_name, self.link.node, self.cgroup_root, cni_folder, pause_image()
        )

    def _wait(self, holds: Callable[[], object], what: str, component: str) -> None:
        """Wait; when it does not come, or the component has ended, say which log to look into."""
        log = self.processes.log(component)
        wait_for(lambda: holds() or not self.processes.main(component), f"{what} is ready (see {log})", START_S)
        if not holds():
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
            raise ClusterError(f"{component} ended, see {log}:\n{tail}")


def api_server(state: Path, link: Link) -> ApiServer:
    """The cluster's API server, as this machine reaches it."""
    return ApiServer(link.node, API_PORT, state / "pki")


def pause_image() -> str:
    """The image of every pod's first process, named by its content."""
    return f"localhost/dss-pause:{key(RECIPES['pause'])}"
