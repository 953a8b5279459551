"""Brings the chain up once: cluster, operator from the chart, a namespace that enforces `restricted`, the models."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from tests.cluster.paths import cache
from tests.e2e.timing import Timings, completion_to_ready
from tests.lab import setup
from tests.lab.kubectl import Kubectl, Object
from tests.lab.setup import Lab, bring_up, drop_namespace, fresh_namespace, model_volume
from tests.lab.users import Users, using
from tests.lab.watch import Seen, Watch, is_true, serves

DATA = Path(__file__).parent / "data"
MEASURED: pytest.StashKey[list[Timings]] = pytest.StashKey()
NAMESPACE = "dss-e2e"
KEY = "sk-e2e-right"
START_S = 400  # a start takes 20 to 40 s alone on two idle cores; four at once, two minutes; the machines are shared


@pytest.fixture(scope="session")
def users() -> Iterator[Users]:
    """This run among those that use the operator."""
    with using(cache() / f"users-{setup.NAME}.lock") as users:
        yield users


@pytest.fixture
def alone(users: Users) -> Iterator[None]:
    """No other run uses the cluster: for tests that take the operator away or look at the whole machine."""
    with users.alone():
        yield


@pytest.fixture(scope="session")
def lab(users: Users) -> Lab:
    return bring_up(provider=os.environ.get("PROVIDER", "auto"), node_image=os.environ.get("NODE_IMAGE"))


@pytest.fixture(scope="session")
def kubectl(lab: Lab) -> Iterator[Kubectl]:
    """kubectl in the namespace of this run, with the models in the claim `models`; the namespace goes with the run."""
    kubectl = namespace_with_model(lab, NAMESPACE)
    toolbox(kubectl, "break_models.py")
    yield kubectl
    leave(lab, kubectl)


def leave(lab: Lab, kubectl: Kubectl) -> None:
    """Delete the namespace of a kubectl with all that is in it."""
    # Kubernetes looks again at a namespace with pods only after half of their grace period.
    kubectl("delete", "dss", "--all")
    await_no_pods(kubectl, "deepseekserve.io/name")
    drop_namespace(lab.kubectl, kubectl.namespace)


def namespace_with_model(lab: Lab, name: str) -> Kubectl:
    """`namespace_with_volume` with the tiny model on it, and the pod `toolbox` beside it."""
    kubectl = namespace_with_volume(lab, name)
    kubectl.apply((DATA / "toolbox.yaml").read_text().replace("ENGINE_IMAGE", lab.engine_image))
    kubectl("wait", "--for=condition=Ready", "pod/toolbox", "--timeout=120s")
    kubectl("exec", "toolbox", "--", "python3", "/opt/deepseekserve/make_tiny_model.py", "/models/tiny")
    return kubectl


def namespace_with_volume(lab: Lab, name: str) -> Kubectl:
    """kubectl in an empty namespace with the claim `models`."""
    kubectl = replace(lab.kubectl, namespace=name)
    fresh_namespace(lab.kubectl, name)
    kubectl.apply(*model_volume(lab, namespace=name))
    # Bound within a second, unless the machine is busy: then pods would be told to fail for that.
    kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/models", "--timeout=120s", timeout_s=130)
    return kubectl


def toolbox(kubectl: Kubectl, script: str, *args: str) -> str:
    """Run one of this folder's scripts, or a shell-free snippet, in the toolbox pod."""
    text = (DATA / script).read_text() if script.endswith(".py") else script
    return kubectl("exec", "toolbox", "--", "python3", "-c", text, *args)


def resource(name: str, **spec: object) -> Object:
    """data/serve.yaml with another name and the given parts of the spec laid over it, group by group."""
    made: Object = yaml.safe_load((DATA / "serve.yaml").read_text())
    made["metadata"]["name"] = name
    for group, value in spec.items():
        below = made["spec"].get(group)
        made["spec"][group] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    return made


def engine_pods(kubectl: Kubectl, name: str) -> list[Object]:
    """The live pods of a resource, newest last."""
    pods = [
        p for p in kubectl.list("pods", f"deepseekserve.io/name={name}") if "deletionTimestamp" not in p["metadata"]
    ]
    return sorted(pods, key=lambda p: str(p["metadata"]["creationTimestamp"]))


def delete(kubectl: Kubectl, *names: str) -> None:
    """Delete resources and wait until their pods are gone, with the memory that they hold."""
    kubectl("delete", "dss", "--ignore-not-found", *names)
    await_no_pods(kubectl, f"deepseekserve.io/name in ({', '.join(names)})")


def await_no_pods(kubectl: Kubectl, selector: str) -> None:
    kubectl("wait", "--for=delete", "pod", "-l", selector, "--timeout=120s", timeout_s=130)


@dataclass(frozen=True)
class Start:
    """A resource's first start: every state up to the first Ready=True, and the seconds from completion to that."""

    seen: list[Seen]
    completion_to_ready_s: float


def delete_service(kubectl: Kubectl, name: str, *, back_within_s: float) -> None:
    """Delete the Service of a resource by hand, and wait until the operator has made it again."""
    kubectl("delete", "service", name)
    with Watch(kubectl, name, kind="service") as service:
        service.until(lambda s: "deletionTimestamp" not in s["metadata"], timeout_s=back_within_s, what="made again")


def first_start(kubectl: Kubectl, readied: Timings, thing: Object) -> Start:
    """Apply a new resource and follow it from its first state until it serves."""
    name = thing["metadata"]["name"]
    with Watch(kubectl, name) as watch:
        kubectl.apply(thing)
        ready = watch.until(is_true("Ready"), timeout_s=START_S, what="Ready after its first start")
        waited_s = completion_to_ready(kubectl, engine_pods(kubectl, name)[-1], ready)
    readied.add(waited_s)
    return Start(watch.seen[: ready.index + 1], waited_s)


@pytest.fixture(scope="session")
def served_start(kubectl: Kubectl, readied: Timings) -> Start:
    """The first, eager, start of `served`, the resource that most modules use and leave as they found it."""
    return first_start(kubectl, readied, resource("served"))


@pytest.fixture(scope="module")
def served(kubectl: Kubectl, served_start: Start) -> Iterator[Watch]:
    """A watch on `served`, which serves the tiny model."""
    with Watch(kubectl, "served") as watch:
        watch.until(serves, timeout_s=START_S, what="serving as the module before has left it")
        yield watch


@pytest.fixture(scope="session")
def keyed_start(kubectl: Kubectl, readied: Timings) -> Start:
    """The first, compiling, start of `keyed`, whose clients need the key KEY."""
    kubectl.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"key": KEY}})
    return first_start(
        kubectl,
        readied,
        resource(
            "keyed",
            engine={"enforceEager": False, "extraArgs": ["--enable-auto-tool-choice", "--tool-call-parser=hermes"]},
            access={"apiKeySecretRef": {"name": "key", "key": "key"}},
        ),
    )


@pytest.fixture(scope="session")
def told(request: pytest.FixtureRequest) -> Timings:
    """From an engine's decisive line to the condition that carries its reason."""
    return measured(request.config, "decisive line to condition (aim: p95 below 3 s)")


@pytest.fixture(scope="session")
def readied(request: pytest.FixtureRequest) -> Timings:
    """From an engine's first completion to Ready=True."""
    return measured(request.config, "completion to Ready=True (aim: p95 below 1.5 s)")


@pytest.fixture(scope="session")
def read(request: pytest.FixtureRequest) -> Timings:
    """From a resource's first status to the word of its model's reader."""
    return measured(request.config, "first status to what was read of the model (aim: below 10 s)")


def measured(config: pytest.Config, what: str) -> Timings:
    collected = Timings(what)
    config.stash.setdefault(MEASURED, []).append(collected)
    return collected


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured: figures are reported, never asserted."""
    for collected in config.stash.get(MEASURED, []):
        terminalreporter.write_line(collected.report())
