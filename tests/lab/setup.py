"""Brings the chain up in idempotent, timed steps: tools and images, cluster, loaded images, chart."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.cluster.lock import locked
from tests.cluster.paths import DEFAULT_NAME, cache
from tests.cluster.tools import tool
from tests.cluster.volumes import static_volume
from tests.images import Image, ensure
from tests.lab.kubectl import Kubectl, Object

ROOT = Path(__file__).parents[2]
OPERATOR_NAMESPACE = "deepseekserve-system"
RELEASE = "deepseekserve"
GPUS = 32                # that the node claims to have: each replay of a start on a GPU asks for its own
NAME = os.environ.get("DSS_CLUSTER", DEFAULT_NAME)
CLUSTER = (sys.executable, "-m", "tests.cluster", "--name", NAME)
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}

Say = Callable[[str], None]
T = TypeVar("T")


class StepFailed(RuntimeError):
    """A step of the setup ended with another code than 0; what it printed stands above."""


@dataclass(frozen=True)
class Lab:
    """A running cluster with the operator in it."""

    node: str
    kubectl: Kubectl
    helm: Path
    operator_image: str
    engine_image: str


@dataclass
class Steps:
    """Prints each step with the seconds since the beginning and keeps how long each took."""

    say: Say
    began: float
    took: list[tuple[str, float]]

    @classmethod
    def begin(cls, say: Say) -> "Steps":
        """Start the clock."""
        return cls(say, time.monotonic(), [])

    def run(self, title: str, work: Callable[[], T]) -> T:
        """Do one step; its duration is printed and kept."""
        self.say(f"[{time.monotonic() - self.began:5.0f} s] {title}")
        start = time.monotonic()
        done = work()
        self.took.append((title, time.monotonic() - start))
        return done


def bring_up(*, provider: str = "auto", node_image: str | None = None, say: Say | None = None) -> Lab:
    """Cluster, images and operator, from whatever state the machine is in; returns once the operator is available.

    Several runs may ask for the same: they do it in turn, and all but the first find it done.
    """
    steps = Steps.begin(say or _to_stderr)
    with locked(cache() / f"setup-{NAME}.lock", "the setup of the cluster"):
        return bring_up_in(steps, provider=provider, node_image=node_image)


def bring_up_in(steps: Steps, *, provider: str, node_image: str | None = None) -> Lab:
    """`bring_up` with the caller's own Steps, so that it can show how long each took."""
    steps.run("programs and images (built side by side, kept for the next run)", lambda: _build(steps.say))
    images = {name: ensure(name) for name in ("operator", "engine-cpu")}
    # The engine's changes seldom and takes a minute to import: the cluster begins with it.
    archives = {name: str(image.archive) for name, image in images.items()}
    up = [f"--provider={provider}", "up", f"--gpus={GPUS}", f"--with={archives['engine-cpu']}"]
    up += [f"--image={node_image}"] if node_image else []
    steps.run("cluster up, with the engine's image", lambda: cluster(steps.say, *up))
    steps.run("the operator's image into the cluster", lambda: cluster(steps.say, "load", archives["operator"]))
    lab = steps.run("find the cluster", lambda: _lab(images))
    steps.run("helm upgrade --install deepseekserve", lambda: install(lab))
    return lab


def cluster(say: Say, *args: str) -> None:
    """Run `python -m tests.cluster ARGS`, its progress lines passed on."""
    _passed_on([*CLUSTER, *args], say, "cluster")


def install(lab: Lab, *more: str, root: Path = ROOT) -> None:
    """Install or upgrade the chart with the lab's images, and wait until the operator is available.

    `root` is where the chart's version of the project is.
    """
    values = {
        "image": lab.operator_image,
        "engine.images.cpu": lab.engine_image,
    }
    sets = [f"--set-string={k}={v}" for k, v in values.items()]
    _passed_on(
        [
            str(lab.helm),
            "upgrade",
            "--install",
            RELEASE,
            str(root / "charts" / "deepseekserve"),
            "--namespace",
            OPERATOR_NAMESPACE,
            "--create-namespace",
            f"--kubeconfig={lab.kubectl.kubeconfig}",
            "--wait",
            "--timeout=120s",
            *sets,
            *more,
        ],
        lambda _: None,
        "helm",
    )


def uninstall(lab: Lab) -> None:
    """Remove the operator; the CRD and every resource stay."""
    _passed_on(
        [
            str(lab.helm),
            "uninstall",
            RELEASE,
            "--namespace",
            OPERATOR_NAMESPACE,
            f"--kubeconfig={lab.kubectl.kubeconfig}",
            "--wait",
        ],
        lambda _: None,
        "helm",
    )


def fresh_namespace(kubectl: Kubectl, name: str) -> None:
    """An empty namespace that enforces Pod Security `restricted`; what an earlier run left of it is deleted first."""
    drop_namespace(kubectl, name)
    restricted_namespace(kubectl, name)


def drop_namespace(kubectl: Kubectl, name: str) -> None:
    """Delete a namespace and its model volume, which would stay bound to a claim that is gone."""
    kubectl("delete", "namespace", name, "--ignore-not-found", "--timeout=180s", timeout_s=200)
    kubectl("delete", "persistentvolume", _volume_name(name), "--ignore-not-found")


def restricted_namespace(kubectl: Kubectl, name: str) -> None:
    """A namespace that enforces Pod Security `restricted`."""
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})


def model_volume(lab: Lab, *, namespace: str) -> list[Object]:
    """A static volume and its claim `models`, on a folder of the node that every user may write to."""
    name = _volume_name(namespace)
    path = _printed("volume", name)
    return static_volume(name, claim="models", namespace=namespace, node=lab.node, path=path, size="1Gi")


def _volume_name(namespace: str) -> str:
    return f"{namespace}-models"


def _build(say: Say) -> None:
    commands = {
        "programs": [sys.executable, "-m", "tests.cluster", "tools"],
        "images": [sys.executable, "-m", "tests.images", "build", "all"],
    }
    with ThreadPoolExecutor(len(commands)) as pool:
        for running in [pool.submit(_passed_on, command, say, name) for name, command in commands.items()]:
            running.result()


def _lab(images: dict[str, Image]) -> Lab:
    kubectl = Kubectl(tool("kubectl"), Path(_printed("kubeconfig")))
    return Lab(_printed("node"), kubectl, tool("helm"), images["operator"].name, images["engine-cpu"].name)


def _printed(*args: str) -> str:
    """What `python -m tests.cluster ARGS` prints on its standard output, one line."""
    command = [*CLUSTER, *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise StepFailed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout.strip()


def _passed_on(command: list[str], say: Say, name: str) -> None:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    assert process.stdout is not None
    tail = []
    with process.stdout:
        for line in process.stdout:
            tail.append(line.rstrip())
            say(f"          {name} | {line.rstrip()}")
    if process.wait():
        raise StepFailed(f"{name}: exit code {process.returncode}\n" + "\n".join(tail[-30:]))


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
