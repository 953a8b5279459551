"""Engines that are killed or stopped, while loading and while serving: a typed reason, and Ready again by themselves.

The resources of a group start, are struck, and come back side by side, each with a pod of its own: the kubelet's
back-off grows with each restart of a pod.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.cases import FAIL_S
from tests.e2e.conftest import DATA, START_S, engine_pods, resource
from tests.lab.kubectl import Kubectl, log_lines
from tests.lab.watch import Watch, condition, failed_with, is_true, serves


@dataclass(frozen=True)
class Kill:
    """A signal to the processes whose command line holds a word, and the reason that it must get."""

    signal: str
    word: str
    reason: str


SERVING = {
    "serving-core-killed": Kill("SIGKILL", "EngineCore", "EngineCoreDied"),
    "serving-server-killed": Kill("SIGKILL", "serve", "Unknown"),
    "serving-server-stopped": Kill("SIGSTOP", "serve", "EngineUnresponsive"),
    "serving-core-stopped": Kill("SIGSTOP", "EngineCore", "EngineUnresponsive"),
}
LOADING = {
    "loading-core-killed": Kill("SIGKILL", "EngineCore", "EngineCoreDied"),
    "loading-server-stopped": Kill("SIGSTOP", "serve", "StartupStalled"),
}


@dataclass(frozen=True)
class Struck:
    """A resource's watch, and the index of its first state after the signal."""

    watch: Watch
    since: int


@pytest.fixture(scope="module")
def serving(kubectl: Kubectl) -> Iterator[dict[str, Struck]]:
    """Each resource of SERVING once its engine got its signal; all serve before the first one does."""
    with group(kubectl, SERVING) as watches:
        for watch in watches.values():
            watch.until(serves, timeout_s=START_S, what="Ready after its first start")
        yield {name: strike(kubectl, watches[name], kill) for name, kill in SERVING.items()}


@pytest.fixture(scope="module")
def loading(kubectl: Kubectl) -> Iterator[dict[str, Struck]]:
    """Each resource of LOADING once its engine core had begun and got its signal."""
    with group(kubectl, LOADING, startup={"stallSeconds": 30}) as watches:
        struck = {}
        for name, kill in LOADING.items():
            watches[name].until(at_percent(1), timeout_s=START_S, what="the start under way")
            await_engine_core(kubectl, name)
            struck[name] = strike(kubectl, watches[name], kill)
        yield struck


@contextmanager
def group(kubectl: Kubectl, kills: Mapping[str, Kill], **spec: Any) -> Iterator[dict[str, Watch]]:
    """Apply one resource a kill, watched from the beginning; they go at the end."""
    with ExitStack() as stack:
        watches = {name: stack.enter_context(Watch(kubectl, name)) for name in kills}
        kubectl.apply(*(resource(name, **spec) for name in kills))
        yield watches
        kubectl("delete", "dss", *kills)


def strike(kubectl: Kubectl, watch: Watch, kill: Kill) -> Struck:
    mark = watch.mark()
    pod = engine_pods(kubectl, watch.name)[-1]["metadata"]["name"]
    kubectl("exec", pod, "--", "python3", "-c", (DATA / "signal_engine.py").read_text(), kill.signal, kill.word)
    return Struck(watch, mark)


def at_percent(least: int) -> Any:
    return lambda r: r.get("status", {}).get("startup", {}).get("percent", 0) >= least


def await_engine_core(kubectl: Kubectl, name: str) -> None:
    """Wait, through the pod's own log, until the engine core has begun: only then is there one to signal."""
    pod = engine_pods(kubectl, name)[-1]["metadata"]["name"]
    assert any("Initializing a V1 LLM engine" in line for line in log_lines(kubectl, pod)), (
        "the engine core never began"
    )


@pytest.mark.parametrize("name", SERVING)
def test_a_serving_engine_that_dies_or_hangs_is_explained_and_comes_back_by_itself(
    serving: dict[str, Struck], name: str
) -> None:
    reason, watch = SERVING[name].reason, serving[name].watch
    seen = watch.until(failed_with(reason), timeout_s=FAIL_S, what=reason, since=serving[name].since)
    ready = condition(seen.object, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert seen.object["status"]["failure"]["message"]
    watch.until(serves, timeout_s=START_S, what="Ready again by itself", since=seen.index)


@pytest.mark.parametrize("name", LOADING)
def test_an_engine_that_dies_or_hangs_while_loading_is_explained_and_comes_up_by_itself(
    loading: dict[str, Struck], name: str
) -> None:
    reason, watch = LOADING[name].reason, loading[name].watch
    seen = watch.until(failed_with(reason), timeout_s=FAIL_S, what=reason, since=loading[name].since)
    assert condition(seen.object, "Ready")["reason"] == reason
    assert not is_true("Stalled")(seen.object)
    watch.until(serves, timeout_s=START_S, what="Ready by itself", since=seen.index)
