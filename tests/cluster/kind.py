"""Provider `kind`: a cluster in Docker, made by kind; its kubeconfig and our notes lie in the state folder."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.errors import ClusterError, Missing
from tests.cluster.extras import KWOK
from tests.cluster.health import wait_for
from tests.cluster.paths import state as state_of
from tests.cluster.processes import Processes
from tests.cluster.progress import say
from tests.cluster.tools import tool

CONFIG = Path(__file__).with_name("kind.yaml")
DOCKER_S = 15
START_S = 180
VOLUMES = "/var/local/dss"      # on the nodes


def docker_answers() -> bool:
    """A Docker client is installed and its daemon answers."""
    if shutil.which("docker") is None:
        return False
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, timeout=DOCKER_S, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@dataclass(frozen=True)
class Kind:
    """The kind cluster of one name; `image` is the node image of a new one, kind's own when empty."""

    name: str
    image: str = ""

    @cached_property
    def state(self) -> Path:
        """The folder of kubeconfig and notes."""
        return state_of(self.name).resolve()

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def processes(self) -> Processes:
        """The processes that run beside the cluster: kwok."""
        return Processes(self.state)

    @property
    def _complete(self) -> Path:
        """Exists once kind has finished creating the cluster; without it a cluster is a ruin of a killed run."""
        return self.state / "complete"

    def node_name(self) -> str:
        """The node that real pods go to: a worker if there is one."""
        return min(self._containers(), key=lambda n: "control-plane" in n)

    def up(self) -> None:
        """Create the cluster, or start what was stopped; returns when all nodes are ready."""
        if not docker_answers():
            raise Missing("provider kind needs a Docker daemon that answers: `docker info` says why it does not")
        kubectl, helm, kind = tool("kubectl"), tool("helm"), tool("kind")
        for folder in ("log", "bin"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        for program in (kubectl, helm, kind):
            link = self.state / "bin" / program.name
            link.unlink(missing_ok=True)
            link.symlink_to(program)
        if not self._complete.exists() or not self._containers():
            self._create()
        elif not all(self.running().values()):
            say("starting the nodes again")
            run(["docker", "start", *self._containers()])
        wait_for(self.is_ready, f"the nodes of kind cluster {self.name} are ready", START_S)

    def stop(self) -> None:
        """Stop kwok and the nodes; their contents stay."""
        self.processes.end([KWOK])
        if containers := self._containers():
            run(["docker", "stop", *containers])

    def down(self) -> None:
        """Delete the cluster and our notes."""
        self.processes.end([KWOK])
        if self._containers():
            run([str(tool("kind")), "delete", "cluster", "--name", self.name, "--kubeconfig", str(self.kubeconfig)])
        if self.state.exists():
            shutil.rmtree(self.state)

    def running(self) -> dict[str, bool]:
        """Each node, and whether its container runs."""
        return {name: state == "running" for name, state in self._containers().items()}

    def is_ready(self) -> bool:
        """The API server answers and every real node is Ready."""
        command = [str(tool("kubectl")), f"--kubeconfig={self.kubeconfig}", "get", "nodes", "--output=json"]
        try:
            nodes = json.loads(run([*command, "--request-timeout=5s"]))["items"]
        except ClusterError:
            return False
        real = [n for n in nodes if n["metadata"]["name"] in self._containers()]
        return bool(real) and all(_is_ready(n) for n in real)

    def load(self, file: Path) -> None:
        """Load an image archive into every node."""
        run([str(tool("kind")), "load", "image-archive", str(file), "--name", self.name])

    def images(self) -> set[str]:
        """The names of the images that every node has."""
        listing = ("ctr", "--namespace=k8s.io", "images", "list", "--quiet")
        return set.intersection(*(set(run(["docker", "exec", n, *listing]).split()) for n in self._containers()))

    def command(self, *command: str) -> list[str]:
        """The command as it is: on kind, pod and Service addresses are only reachable through kubectl."""
        return list(command)

    def make_volume(self, name: str) -> str:
        """A folder on every node that every user may write to; returns its path there."""
        path = f"{VOLUMES}/{name}"
        for node in self._containers():
            run(["docker", "exec", node, "mkdir", "-p", path])
            run(["docker", "exec", node, "chmod", "0777", path])
        return path

    def _create(self) -> None:
        kind = str(tool("kind"))
        if self._containers():
            say("removing what a killed run has left")
            run([kind, "delete", "cluster", "--name", self.name, "--kubeconfig", str(self.kubeconfig)])
        image = ["--image", self.image] if self.image else []
        say("kind create cluster")
        _create_with(
            [kind, "create", "cluster", "--name", self.name, "--config", str(CONFIG),
             "--kubeconfig", str(self.kubeconfig), "--wait", f"{START_S}s", *image],
        )
        self._complete.touch()

    def _containers(self) -> dict[str, str]:
        """The cluster's nodes (name -> state of the container)."""
        listed = run([
            "docker", "ps", "--all", "--filter", f"label=io.x-k8s.kind.cluster={self.name}",
            "--format", "{{.Names}} {{.State}}",
        ])
        pairs = (line.partition(" ") for line in sorted(listed.splitlines()))
        return {name: state for name, _, state in pairs}


def _create_with(command: list[str]) -> None:
    """Run kind, its progress passed on line by line."""
    environment = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"}
    output = subprocess.PIPE
    with subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True, env=environment) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip())
            if line.strip():
                say(f"kind: {line.strip()}")
    if process.returncode:
        raise ClusterError(f"kind create cluster: exit code {process.returncode}:\n" + "\n".join(lines[-15:]))


def _is_ready(node: dict[str, object]) -> bool:
    status = node["status"]
    assert isinstance(status, dict)
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
