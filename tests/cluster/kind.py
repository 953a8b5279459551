"""Provider `kind`: a cluster in Docker, made by kind; its kubeconfig and our notes lie in the state folder."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.cluster.commands import run, tied
from tests.cluster.errors import ClusterError, Missing
from tests.cluster.extras import KWOK
from tests.cluster.health import wait_for
from tests.cluster.nodeview import is_ready, is_stale, is_true
from tests.cluster.paths import state as state_of
from tests.cluster.processes import Processes
from tests.cluster.progress import say
from tests.cluster.tools import tool

CONFIG = Path(__file__).with_name("kind.yaml")
DOCKER_S = 15
START_S = 180
SLOW_BOOT = "could not find a log line"      # kind allows a node 30 s to boot, come what may
ATTEMPTS = 3
SYSTEM = "kube-system"
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


def require_docker() -> None:
    """Raise Missing when Docker does not answer."""
    if not docker_answers():
        raise Missing("provider kind needs a Docker daemon that answers: `docker info` says why it does not")


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

    def stock(self, archives: Sequence[Path]) -> bool:  # noqa: ARG002
        """Nothing can be put into a node that is not there yet."""
        return False

    def up(self) -> None:
        """Create the cluster, or start what was stopped; returns when all nodes are ready."""
        require_docker()
        kubectl, helm, kind = tool("kubectl"), tool("helm"), tool("kind")
        for folder in ("log", "bin"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        for program in (kubectl, helm, kind):
            link = self.state / "bin" / program.name
            link.unlink(missing_ok=True)
            link.symlink_to(program)
        since = 0.0
        if not self._complete.exists() or not self._containers():
            self._create()
        elif not all(self.running().values()):
            say("starting the nodes again")
            since = time.time()
            run(["docker", "start", *self._containers()])
        wait_for(lambda: self._settled(since), f"kind cluster {self.name} is ready", START_S, every_s=1)

    def stop(self) -> None:
        """Stop kwok and the nodes; their contents stay."""
        self.processes.end([KWOK])
        if containers := self._containers():
            run(["docker", "stop", *containers])

    def down(self) -> None:
        """Delete the cluster and our notes."""
        require_docker()
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
        return self._settled(since=0)

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
        kind, own_kubeconfig = str(tool("kind")), ("--kubeconfig", str(self.kubeconfig))
        if self._containers():
            say("removing what a killed run has left")
            run([kind, "delete", "cluster", "--name", self.name, *own_kubeconfig])
        image = ["--image", self.image] if self.image else []
        command = [kind, "create", "cluster", "--name", self.name, "--config", str(CONFIG), *own_kubeconfig, *image]
        for attempt in range(1, ATTEMPTS + 1):
            said = _create_with([*command, "--wait", f"{START_S}s"])
            if said is None:
                break
            if SLOW_BOOT not in said or attempt == ATTEMPTS:
                raise ClusterError(f"kind create cluster failed:\n{said}")
            say("the node did not boot within kind's 30 s, as this machine is busy; again")
        self._complete.touch()

    def _settled(self, since: float) -> bool:
        """Every real node says that it is ready, and its system pods are, DNS among them; all of it said since then."""
        kubectl = [str(tool("kubectl")), f"--kubeconfig={self.kubeconfig}", "--request-timeout=5s", "--output=json"]
        try:
            nodes = json.loads(run([*kubectl, "get", "nodes"]))["items"]
            pods = json.loads(run([*kubectl, "get", "pods", "--all-namespaces"]))["items"]
        except ClusterError:
            return False
        containers = self._containers()
        real = [n for n in nodes if n["metadata"]["name"] in containers]
        on_them = [p for p in pods if p["spec"].get("nodeName") in containers]
        late = [p for p in on_them if p["metadata"]["namespace"] == SYSTEM and not is_ready(p)]
        stale = [p for p in on_them if is_stale(p, since=since)]
        return bool(real) and not late and not stale and all(is_true(n, "Ready", since=since) for n in real)

    def _containers(self) -> dict[str, str]:
        """The cluster's nodes (name -> state of the container)."""
        listed = run([
            "docker", "ps", "--all", "--filter", f"label=io.x-k8s.kind.cluster={self.name}",
            "--format", "{{.Names}} {{.State}}",
        ])
        pairs = (line.partition(" ") for line in sorted(listed.splitlines()))
        return {name: state for name, _, state in pairs}


def _create_with(command: list[str]) -> str | None:
    """Run kind, its progress passed on line by line; None when it succeeded, else its last words."""
    environment = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"}
    output, same = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(tied(command), stdout=output, stderr=same, text=True, env=environment) as process:
        assert process.stdout is not None
        lines = [line.strip() for line in process.stdout if _shown(line)]
    return "\n".join(lines[-15:]) if process.returncode else None


def _shown(line: str) -> bool:
    if line.strip():
        say(f"kind: {line.strip()}")
    return bool(line.strip())
