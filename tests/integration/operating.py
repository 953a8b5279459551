"""The operator as a real process, and engine pods as the API server sees them: what the operator's tests drive.

No pod ever runs here. What a kubelet would write into a pod's status the tests write, through the real API; agents are
small HTTP servers on loopback addresses that stand as the pods' IPs.
"""

import http.server
import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from kubernetes_asyncio.client.api_client import ApiClient
from kubernetes_asyncio.client.configuration import Configuration
from kubernetes_asyncio.config import load_kube_config

from deepseekserve import names
from deepseekserve.kube import Kube
from tests.cluster.tools import tool
from tests.lab.kubectl import Kubectl, Object, await_crd
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
CRD = ROOT / "crds" / "deepseekserve.yaml"
PATIENCE_S = 60.0          # for what takes a second on an idle machine
T = TypeVar("T")

# Loopback addresses of this run's agents; two runs on one machine begin at different places.
_ADDRESSES = (f"127.{os.getpid() % 200 + 20}.{n // 250}.{n % 250 + 1}" for n in itertools.count())


def eventually(look: Callable[[], T | None], what: str, timeout_s: float = PATIENCE_S) -> T:
    """The first answer of `look` that is true; raises AssertionError after the time."""
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:.0f} s"
        pause.wait(0.05)


def looked_at(operator: "Operator", number: float) -> None:
    """Wait until the operator has looked at resources so often."""
    eventually(lambda: operator.looks() >= number, f"{number:.0f} looks")


@dataclass
class Operator:
    """`python -m deepseekserve` against a control plane; `identity` is the Lease holder's name."""

    kubectl: Kubectl
    log: Path
    identity: str = "operator-1"
    namespace: str = "default"
    settings: dict[str, str] = field(default_factory=dict)
    source: Path = ROOT / "operator" / "src"
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, and return when it answers its probes."""
        self.port = free_port()
        environ = {
            **self.kubectl.env(), "PYTHONPATH": str(self.source), "DSS_HTTP_PORT": str(self.port),
            "DSS_IDENTITY": self.identity, "DSS_NAMESPACE": self.namespace, **self.settings,
        }
        environ.pop("KUBERNETES_SERVICE_HOST", None)
        with self.log.open("ab") as log:
            command = [sys.executable, "-W", "error::DeprecationWarning", "-m", "deepseekserve"]
            self.process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        eventually(lambda: self.answers("/readyz") or self.has_ended(), "the operator's probes", 60)
        assert not self.has_ended(), self.says()

    def go_through(self, url: str) -> None:
        """Let it reach the API server at another address; only for one with a kubeconfig of its own."""
        config = json.loads(self.kubectl.kubeconfig.read_text())
        for cluster in config["clusters"]:
            cluster["cluster"]["server"] = url
        self.kubectl.kubeconfig.write_text(json.dumps(config))

    def answers(self, path: str) -> str:
        """The body of a page of its HTTP server; empty while there is none."""
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
        return ""

    def has_ended(self) -> bool:
        """Tell whether the process is gone."""
        return self.process is None or self.process.poll() is not None

    def leads(self) -> bool:
        """Tell whether it holds the Lease."""
        return self.count("deepseekserve_leader") == 1

    def count(self, metric: str, **labels: str) -> float:
        """Sum of a metric's samples that carry these labels."""
        total = 0.0
        for line in self.answers("/metrics").splitlines():
            name, _, value = line.rpartition(" ")
            if re.match(rf"{metric}(\{{|$)", name) and all(f'{k}="{v}"' in name for k, v in labels.items()):
                total += float(value)
        return total

    def looks(self) -> float:
        """How often it has looked at a resource."""
        return self.count("deepseekserve_reconcile_seconds_count")

    def kill(self) -> None:
        """kill -9."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE_S)

    def says(self) -> str:
        """What it has logged so far."""
        return self.log.read_text(errors="replace")


@contextmanager
def running(operator: Operator) -> Iterator[Operator]:
    """The operator started, and killed at the end."""
    operator.start()
    try:
        eventually(operator.leads, "the operator leads", 60)
        yield operator
    finally:
        operator.kill()


def least_privileged(kubectl: Kubectl, namespace: str, folder: Path, *values: str) -> Kubectl:
    """The same cluster as the chart's ServiceAccount in `namespace`, with no more than the chart's RBAC allows.

    `values` are further arguments of Helm.
    """
    templates = [f"--show-only=templates/{name}.yaml" for name in ("rbac", "serviceaccount")]
    chart = str(ROOT / "charts" / "deepseekserve")
    version = json.loads(kubectl("get", "--raw", "/version"))["gitVersion"]
    render = [str(tool("helm")), "template", "deepseekserve", chart, f"-n{namespace}", f"--kube-version={version}"]
    manifests = subprocess.check_output([*render, *values, *templates], text=True)
    replace(kubectl, namespace="")("apply", "-f", "-", stdin=manifests)        # each says its own namespace
    token = replace(kubectl, namespace=namespace)("create", "token", "deepseekserve", "--duration=1h")
    config = json.loads(kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    (folder / "kubeconfig").write_text(json.dumps(config))
    return replace(kubectl, kubeconfig=folder / "kubeconfig")


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Kube]:
    """The operator's own client, as whoever the kubeconfig is of."""
    configuration = Configuration()
    await load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
    async with ApiClient(configuration) as client:
        yield Kube(client)


def install_crd(kubectl: Kubectl, file: Path = CRD) -> None:
    """Apply the CRD and wait until it is served."""
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(file))
    await_crd(kubectl, f"{names.PLURAL}.{names.GROUP}")


def resource(name: str, **spec: Any) -> Object:
    """A DeepSeekServe that asks for a CPU engine, with more or other groups of the spec."""
    asked = {"model": {"source": "pvc://models/tiny"}, "engine": {"device": "CPU"}, "resources": {"memory": "4Gi"}}
    return {
        "apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": name}, "spec": {**asked, **spec},
    }


# Agents

class Agent:
    """What listens on a pod's agent port: GET /status answers `report`, whatever it is at that moment."""

    def __init__(self) -> None:
        self.report: Object = starting()
        self.address = ""
        self._server = self._bind()
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Refuse connections from now on."""
        self._server.shutdown()
        self._server.server_close()

    def _bind(self) -> http.server.ThreadingHTTPServer:
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(agent.report).encode()
                self.send_response(200 if self.path == "/status" else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        while True:
            self.address = next(_ADDRESSES)
            with suppress(OSError):
                return http.server.ThreadingHTTPServer((self.address, names.AGENT_PORT), Handler)


def now(ago_s: float = 0) -> str:
    """The present second, or an earlier one, as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago_s))


def precisely_now() -> str:
    """The present moment as agents write it."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}.{time.time_ns() % 10**9 // 10**3:06}Z"


def phases(**ago_s: float) -> list[Object]:
    """The phases of a report, each with how many seconds ago it began."""
    return [{"phase": phase, "since": now(seconds)} for phase, seconds in ago_s.items()]


def starting(phase: str = "Starting", percent: int = 0, **more: Any) -> Object:
    """A report of an engine on its way."""
    return {
        "schema": 1, "phase": phase, "percent": percent, "phaseSince": now(), "startedAt": now(), "expectedSeconds": 30,
        "ready": False, "engine": {}, "failure": None, "exitCode": None, "degraded": None, **more,
    }


def serving(**more: Any) -> Object:
    """A report of an engine that answers."""
    engine = {"version": "0.32.0", "maxModelLen": 4096}
    return starting("Serving", 100, expectedSeconds=0, ready=True, engine=engine, **more)


def failing(reason: str, message: str = "It failed.") -> Object:
    """A report of an engine that has failed just now."""
    return starting("LoadingWeights", 35, failure={
        "reason": reason, "message": message, "remedy": "Mend it.", "fixes": [], "at": precisely_now(),
        "logExcerpt": "the decisive line",
    })


# Pods

@dataclass
class Pod:
    """One engine pod that a real Deployment made, and the part of its kubelet, played through the API."""

    kubectl: Kubectl
    name: str
    agent: Agent
    restarts: int = 0

    def schedule(self) -> None:
        """A node was found, and the image is being pulled."""
        self._write("Pending", ready=False, state={"waiting": {"reason": "ContainerCreating"}})

    def wait(self, reason: str, message: str) -> None:
        """The container cannot be made, for a reason in Kubernetes' words."""
        self._write("Pending", ready=False, state={"waiting": {"reason": reason, "message": message}})

    def say(self, reason: str, note: str) -> None:
        """Post an Event of the pod, as its kubelet does."""
        uid = (self.kubectl.get("pod", self.name) or {})["metadata"]["uid"]
        self.kubectl.apply({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": f"{self.name}.{time.time_ns():x}"},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": self.kubectl.namespace,
                               "name": self.name, "uid": uid},
            "reason": reason, "message": note, "type": "Warning", "firstTimestamp": now(), "lastTimestamp": now(),
            "count": 1, "source": {"component": "kubelet"}, "reportingComponent": "kubelet",
        })

    def run(self) -> None:
        """The container runs, and its agent answers."""
        self._write("Running", ready=False, state={"running": {"startedAt": now()}})

    def serve(self, report: Object | None = None) -> None:
        """The agent says that it serves, and the kubelet's probe believes it."""
        self.agent.report = report or serving()
        self._write("Running", ready=True, state={"running": {"startedAt": now()}})

    def fail(self, message: str, *, code: int = 1, reason: str = "Error") -> None:
        """The container ended with this termination message and is to be restarted after a back-off."""
        self.restarts += 1
        ended = {"exitCode": code, "reason": reason, "message": message, "startedAt": now(), "finishedAt": now()}
        waiting = {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}
        self._write("Running", ready=False, state={"waiting": waiting}, lastState={"terminated": ended})

    def _write(self, phase: str, *, ready: bool, **container: Object) -> None:
        patch = {"status": pod_status(phase, self.agent.address, ready=ready, restartCount=self.restarts, **container)}
        self.kubectl("patch", "pod", self.name, "--subresource=status", "--type=merge", "-p", json.dumps(patch))


def pod_status(phase: str, address: str, *, ready: bool, **container: Any) -> Object:
    """A pod's status as its kubelet would write it; `container` goes into that of the engine."""
    truth = "True" if ready else "False"
    conditions = [
        {"type": kind, "status": status, "lastTransitionTime": now()}
        for kind, status in (("PodScheduled", "True"), ("ContainersReady", truth), ("Ready", truth))
    ]
    engine = {"name": names.ENGINE_CONTAINER, "image": "x", "imageID": "x", "ready": ready, "restartCount": 0}
    return {
        "phase": phase, "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions,
        "containerStatuses": [{**engine, **container}],
    }


@dataclass
class Pods:
    """Finds the pods of a resource as they come, and gives each an agent."""

    kubectl: Kubectl
    agents: list[Agent] = field(default_factory=list)

    def next(self, name: str, *, other_than: tuple[Pod, ...] = ()) -> Pod:
        """A living pod of the resource that is none of those already known."""
        known = {pod.name for pod in other_than}

        def look() -> list[str]:
            listed = self.kubectl.list("pods", f"{names.LABEL_NAME}={name}")
            alive = [p["metadata"]["name"] for p in listed if "deletionTimestamp" not in p["metadata"]]
            return [pod for pod in alive if pod not in known]

        agent = Agent()
        self.agents.append(agent)
        return Pod(self.kubectl, eventually(look, f"a pod of {name}")[0], agent)

    def close(self) -> None:
        """Stop all agents."""
        for agent in self.agents:
            agent.close()
