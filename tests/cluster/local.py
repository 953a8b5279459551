"""Provider `local`: a one-node Kubernetes cluster on this Linux machine, as root, with no Docker and no registry.

`up` is a list of steps that each look before they act, so it repairs what a killed run or a crash has left.
"""

import hashlib
import ipaddress
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.cluster import certificates, imagestore, network, node, packages, record
from tests.cluster.cgroups import Groups
from tests.cluster.containerd import Containerd
from tests.cluster.errors import ClusterError
from tests.cluster.lock import locked
from tests.cluster.paths import state as state_of
from tests.cluster.paths import states
from tests.cluster.processes import Processes, end_pids
from tests.cluster.progress import say
from tests.cluster.services import API_PORT, COMPONENTS, Services
from tests.cluster.tools import tool

TOOLS = ("pause", "kubernetes", "coredns", "helm")


@dataclass(frozen=True)
class Local:
    """The local cluster of one name."""

    name: str

    @cached_property
    def state(self) -> Path:
        """The folder of everything that outlives a `stop`."""
        return state_of(self.name).resolve()

    @cached_property
    def _identity(self) -> str:
        """Tells clusters of one name in two state folders apart."""
        return hashlib.sha256(str(self.state).encode()).hexdigest()[:8]

    @property
    def groups(self) -> Groups:
        """Its control groups."""
        return Groups(f"dss-{self.name}-{self._identity}")

    @property
    def interface(self) -> str:
        """This machine's interface to the node."""
        return f"dss{self._identity}"

    @property
    def processes(self) -> Processes:
        """Its processes."""
        return Processes(self.state, self.groups.system)

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""
        return self.state / "kubeconfig"

    def node_name(self) -> str:
        """The name of its one node."""
        return f"{self.name}-node"

    def stock(self, archives: Sequence[Path]) -> bool:
        """Have a new node begin with the images of these archives; False when it is there already, or cannot."""
        root = self.state / node.IMAGES
        if root.exists():
            return False
        packages.ensure()
        self.state.mkdir(parents=True, exist_ok=True)
        try:
            imagestore.stock(root, archives)
        except (ClusterError, OSError) as error:        # a full disk, a file system that overlayfs cannot lie on
            say(f"no images are kept in {imagestore.folder()}, so this cluster imports them: {error}")
            return False
        return True

    def up(self) -> None:
        """Start or repair the cluster; returns when the node is ready."""
        packages.ensure()
        built = {name: tool(name) for name in TOOLS}
        self._make_folders(built)
        link = self._link(self._choose_subnet())
        self._make_certificates(link)
        place = self._enter_node(built["pause"])
        network.connect(link, place.holder)
        self._services(place, link, built).start()

    def stop(self) -> None:
        """End every process, namespace, mount, interface and control group; files stay."""
        everyone = self.processes
        everyone.end(["kubelet", "kwok"], patience_s=5)
        end_pids(self.groups.pids("kubepods"), patience_s=2)
        # The API server would wait a minute for its watchers; it has no state, so it need not end in good order.
        everyone.end([c for c in COMPONENTS if c != "etcd"], patience_s=1)
        everyone.end(["etcd"], patience_s=5)
        while left := sorted({*(p.pid for p in everyone.all()), *self.groups.pids()}):
            end_pids(left, patience_s=1)
        self.groups.remove()
        network.remove(self.interface)

    def down(self) -> None:
        """`stop`, and remove the files too."""
        self.stop()
        if self.state.exists():
            shutil.rmtree(self.state)

    def running(self) -> dict[str, bool]:
        """Each component, and whether its process lives."""
        alive = {p.component for p in self.processes.all() if p.is_main}
        return {component: component in alive for component in (node.HOLDER, *COMPONENTS)}

    def is_ready(self) -> bool:
        """The API server answers and the node is Ready."""
        place, known = node.current(self.processes), record.read(self.state)
        if place is None or known is None or not known.subnet:
            return False
        return self._services(place, self._link(known.subnet), {}).view().node_is_ready()

    def load(self, file: Path) -> None:
        """Import an image archive into the node."""
        Containerd(self._node()).load(file)

    def images(self) -> set[str]:
        """The names of the images on the node."""
        return Containerd(self._node()).images()

    def command(self, *command: str) -> list[str]:
        """The command, to be run in the node's network and with the cluster's DNS."""
        script = 'if [ -e /etc/resolv.conf ]; then mount --bind "$1" /etc/resolv.conf; fi; shift; exec "$@"'
        resolv_conf = str(self.state / "etc" / "resolv.conf")
        private = ["unshare", "--mount", "--propagation=slave", "sh", "-c", script, "sh", resolv_conf, *command]
        return self._node().network_command(*private)

    def make_volume(self, name: str) -> str:
        """A folder on the node that every user may write to; returns its path there."""
        folder = self.state / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        return str(folder)

    def _make_folders(self, built: dict[str, Path]) -> None:
        for folder in ("log", "bin", "volumes", *node.PLACES):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        _symlink(self.state / "bin" / "kubectl", built["kubernetes"].with_name("kubectl"))
        _symlink(self.state / "bin" / "helm", built["helm"])

    def _choose_subnet(self) -> str:
        """Choose the link's subnet once and remember it: the certificates hold an address of it."""
        known = record.read(self.state) or record.Record("local")
        if known.subnet:
            return known.subnet
        with locked(states() / ".subnets.lock", "choosing a subnet"):
            others = [record.read(file.parent) for file in states().glob(f"*/{record.FILE}")]
            remembered = [ipaddress.IPv4Network(o.subnet) for o in others if o and o.subnet]
            chosen = str(network.allot(str(self.state), [*remembered, *network.taken_by_this_machine()]))
            record.Record("local", chosen, known.gpus, known.kwok).save(self.state)
        return chosen

    def _link(self, subnet: str) -> network.Link:
        return network.Link(self.interface, ipaddress.IPv4Network(subnet))

    def _make_certificates(self, link: network.Link) -> None:
        folder = self.state / "pki"
        if not folder.exists():
            say("making certificates")
            certificates.for_cluster(
                folder, address=link.node, port=API_PORT, node=self.node_name(), context=f"dss-{self.name}"
            )
        _symlink(self.kubeconfig, folder / "admin.kubeconfig")

    def _enter_node(self, pause: Path) -> node.Node:
        found = node.current(self.processes)
        if found is None:
            self.stop()      # whatever is left of an earlier node cannot be entered any more
            self.groups.make()
            say("starting the node")
            found = node.start(self.processes, pause)
        return found

    def _services(self, place: node.Node, link: network.Link, built: dict[str, Path]) -> Services:
        return Services(self.processes, place, link, self.node_name(), f"/{self.groups.name}", built)

    def _node(self) -> node.Node:
        found = node.current(self.processes)
        if found is None:
            raise ClusterError(f"cluster {self.name} is not running: python -m tests.cluster --name {self.name} up")
        return found


def _symlink(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)
