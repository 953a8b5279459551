"""A real node and real engines: the node restarted, engines killed (-9) twenty times; each serves again, and says so.

The kubelet's back-off doubles with each restart of a container and forgets after ten minutes without one, or when it
is itself restarted. So the kills are spread over four resources, and the node is restarted between them: no container
waits longer than 40 s.
"""

import json
import os
import random
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime

import pytest

from tests.e2e.conftest import START_S, engine_pods, namespace_with_model, toolbox
from tests.e2e.groups import Kill, Struck, group, reason_told, strike
from tests.lab.forward import forwarded
from tests.lab.kubectl import Kubectl
from tests.lab.setup import OPERATOR_NAMESPACE, Lab, bring_up, cluster, drop_namespace
from tests.lab.watch import Watch, condition, serves
from tests.soak.report import Section

NAMESPACE = "dss-soak"
NAMES = ("killed-a", "killed-b", "killed-c", "killed-d")
WAVES_BEFORE, WAVES_AFTER = 2, 3
KILLS = (Kill("SIGKILL", "EngineCore", "EngineCoreDied"), Kill("SIGKILL", "serve", "Unknown"))
SERVED_S = START_S + 60          # four starts side by side, and the back-off

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="the local provider needs Linux and root"),
]


@pytest.fixture
def lab(section: Section) -> Lab:
    return bring_up(provider="local", say=section.progress)


@pytest.fixture
def kubectl(lab: Lab) -> Iterator[Kubectl]:
    """kubectl in a namespace with the tiny model in the claim `models`."""
    kubectl = namespace_with_model(lab, NAMESPACE)
    toolbox(kubectl, "import os; os.stat('/models/tiny/model.safetensors')")
    yield kubectl
    drop_namespace(lab.kubectl, NAMESPACE)


def test_a_restarted_node_and_killed_engines_serve_again_and_the_status_tells(
    lab: Lab, kubectl: Kubectl, chance: random.Random, section: Section,
) -> None:
    with group(kubectl, {name: {} for name in NAMES}) as watches:
        for watch in watches.values():
            watch.until(serves, timeout_s=SERVED_S, what="its first start")
        section.did(f"{len(NAMES)} resources with the real CPU engine serve")
        waves(kubectl, watches, chance, section, WAVES_BEFORE)
        revisions = current_revisions(kubectl)
        restart_node(lab, kubectl, section)
        with_new_watches(kubectl, chance, section)
        assert current_revisions(kubectl) == revisions
        counts = {name: restarts(kubectl, name) for name in NAMES}
        section.found("restarts of the engines' containers", counts)


def waves(
    kubectl: Kubectl, watches: Mapping[str, Watch], chance: random.Random, section: Section, count: int,
) -> None:
    """Kill every engine, and wait until each has told why and serves again; so often."""
    for _ in range(count):
        before = {name: restarts(kubectl, name) for name in watches}
        chosen = {name: chance.choice(KILLS) for name in watches}
        struck = {name: strike(kubectl, watches[name], kill) for name, kill in chosen.items()}
        began = time.monotonic()
        for name, kill in chosen.items():
            served_again(struck[name], kill)
            answers(kubectl, name)
            assert restarts(kubectl, name) == before[name] + 1
        kinds = ", ".join(f"{name} {kill.word}" for name, kill in chosen.items())
        section.did(f"killed (-9): {kinds}; each told and serves again, {time.monotonic() - began:.0f} s later")
    total = int(section.figures.get("kills, each told and served again", "0")) + count * len(watches)
    section.found("kills, each told and served again", total)


def served_again(struck: Struck, kill: Kill) -> None:
    """The reason is told, and the resource is Ready by itself."""
    seen = reason_told(struck, kill)
    struck.watch.until(serves, timeout_s=SERVED_S, what="Ready again by itself", since=seen.index)


def restart_node(lab: Lab, kubectl: Kubectl, section: Section) -> None:
    """End the node with everything on it, and start it again with its state."""
    stopped_at = time.time()
    cluster(section.progress, "stop")
    cluster(section.progress, "--provider=local", "up")
    up_at = time.monotonic()
    lab.kubectl("rollout", "status", "deployment", f"-n{OPERATOR_NAMESPACE}", "--timeout=120s")
    for name in NAMES:
        with Watch(kubectl, name) as watch:
            seen = watch.until(
                lambda r: serves(r) and _changed_at(r) >= stopped_at, timeout_s=SERVED_S, what="Ready told anew",
            )
        assert seen.object["status"]["readyReplicas"] == 1
        answers(kubectl, name)
    section.did("node stopped and started again with its state: everything serves by itself, and Ready was told anew")
    section.found("all serve after the node is up (s)", f"{time.monotonic() - up_at:.0f}")


def _changed_at(resource: Mapping[str, object]) -> float:
    """When Ready changed last, in seconds of the wall clock; times of the API are whole seconds."""
    told = condition(dict(resource), "Ready")["lastTransitionTime"]
    return datetime.fromisoformat(told).timestamp()


def with_new_watches(kubectl: Kubectl, chance: random.Random, section: Section) -> None:
    """The second half of the kills; the watches of the first ended with the API server."""
    with ExitStack() as stack:
        watches = {name: stack.enter_context(Watch(kubectl, name)) for name in NAMES}
        for watch in watches.values():
            watch.until(serves, timeout_s=SERVED_S, what="serving before the kill")
        waves(kubectl, watches, chance, section, WAVES_AFTER)


def answers(kubectl: Kubectl, name: str) -> None:
    """One completion through the Service."""
    body = json.dumps({"model": "tiny", "prompt": "Hello", "max_tokens": 1}).encode()
    with forwarded(kubectl, f"svc/{name}", 8000) as url:
        request = urllib.request.Request(f"{url}/v1/completions", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["choices"]


def restarts(kubectl: Kubectl, name: str) -> int:
    """How often the container of the resource's one pod was started again."""
    [pod] = engine_pods(kubectl, name)
    [status] = pod["status"]["containerStatuses"]
    return int(status["restartCount"])


def current_revisions(kubectl: Kubectl) -> dict[str, str]:
    """The revision of each resource."""
    return {r["metadata"]["name"]: r["status"]["currentRevision"] for r in kubectl.list("dss")}
