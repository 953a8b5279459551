"""Talks to a containerd: is it there, which images has it, import one more."""

from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.configuration import CONTAINERD_SOCKET
from tests.cluster.errors import ClusterError
from tests.cluster.node import Node


@dataclass(frozen=True)
class Containerd:
    """The containerd inside a node, or one on this machine, through its own client."""

    node: Node | None
    socket: str = CONTAINERD_SOCKET

    def answers(self) -> bool:
        """It serves requests."""
        try:
            self._ctr("version")
        except ClusterError:
            return False
        return True

    def images(self) -> set[str]:
        """Names of the images that pods can use."""
        return set(self._ctr("images", "list", "--quiet").split())

    def load(self, file: Path) -> None:
        """Import an image archive, whether or not the node can see the file."""
        self._ctr("images", "import", "-", stdin=file)

    def _ctr(self, *arguments: str, stdin: Path | None = None) -> str:
        command = ("ctr", f"--address={self.socket}", "--namespace=k8s.io", *arguments)
        return run(self.node.command(*command) if self.node else command, stdin=stdin)
