"""On the real engine, each kind of failure: a typed reason while the older revision serves, and Ready once mended."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from deepseekserve.quantity import parse_quantity
from tests.e2e.conftest import DATA, START_S, engine_pods, resource, toolbox
from tests.e2e.timing import Timings, first_log_time
from tests.lab.kubectl import Kubectl, Object, log_lines
from tests.lab.watch import Watch, condition, failed_with, is_true, serves

TIMED = "decisive line to condition (aim: p95 below 3 s)"
FAIL_S = 180  # a failing start takes 10 to 25 s on two idle cores


@dataclass(frozen=True)
class Case:
    """An edit that cannot work here, the reason it must get, words of the decisive line, fields of the fix."""

    reason: str
    edit: dict[str, Any]
    decisive: str
    says: tuple[str, ...] = ()
    fixes: dict[str, str] = field(default_factory=dict)


EDITS = {
    "AWQ on a plain checkpoint": Case(
        "QuantizationMissingConfig",
        {"engine": {"quantization": "AWQ"}},
        "Cannot find the config file for awq",
        fixes={"spec.engine.quantization": "Auto"},
    ),
    "a context longer than the model's": Case(
        "ContextTooLong",
        {"engine": {"maxModelLen": 999999}},
        "max_model_len",
        ("999999", "32768"),
        fixes={"spec.engine.maxModelLen": "32768"},
    ),
    "a missing folder": Case(
        "ModelNotFound", {"model": {"source": "pvc://models/nothing-here"}}, "nothing-here", ("nothing-here",)
    ),
    "an unknown flag": Case(
        "InvalidArgument",
        {"engine": {"extraArgs": ["--max-num-seqz=4"]}},
        "unrecognized arguments",
        ("--max-num-seqz",),
    ),
    "a KV cache too small": Case(
        "KVCacheTooSmall", {"engine": {"maxModelLen": 32768, "kvCacheMemory": "1Mi"}}, "KV cache is needed"
    ),
}
FILES = {
    "truncated weights": Case("CorruptModel", {"model": {"source": "pvc://models/truncated"}}, "safetensors"),
    "empty weights": Case("CorruptModel", {"model": {"source": "pvc://models/empty"}}, "safetensors"),
    "a Git LFS pointer for weights": Case("CorruptModel", {"model": {"source": "pvc://models/pointer"}}, "safetensors"),
    "an unreadable file": Case(
        "PermissionDenied", {"model": {"source": "pvc://models/unreadable"}}, "No such file or directory"
    ),
}
MEND = """
import os, shutil, sys
target = sys.argv[1] + "/model.safetensors"
os.chmod(target, 0o644)
shutil.copyfile("/models/tiny/model.safetensors", target)
"""


def broken(kubectl: Kubectl, served: Watch, case: Case) -> tuple[Object, float]:
    """Edit the serving resource as the case says and wait for the typed reason; the resource and when it was seen."""
    mark = served.mark()
    kubectl.patch("dss", served.name, {"spec": case.edit})
    seen = served.until(failed_with(case.reason), timeout_s=FAIL_S, what=case.reason, since=mark)
    return seen.object, seen.at


def assert_told_well(status: Object, case: Case) -> None:
    failure = status["failure"]
    assert failure["message"]
    assert failure["remedy"]
    for word in case.says:
        assert word in failure["message"] + failure["remedy"]
    values = {f["field"]: f["value"] for f in failure.get("fixes", [])}
    assert case.fixes.items() <= values.items()


def assert_still_serves(thing: Object, reason: str) -> None:
    assert condition(thing, "Ready")["status"] == "True"
    assert condition(thing, "Degraded")["status"] == "True"
    assert condition(thing, "Degraded")["reason"] == reason
    assert thing["status"]["phase"] == "Serving"


@pytest.mark.parametrize("case", EDITS.values(), ids=EDITS.keys())
def test_an_edit_that_cannot_work_is_explained_while_the_old_revision_serves(
    kubectl: Kubectl,
    served: Watch,
    timings: Timings,
    case: Case,
) -> None:
    before = kubectl.get("dss", served.name)
    assert before is not None
    thing, at = broken(kubectl, served, case)
    assert_told_well(thing["status"], case)
    assert_still_serves(thing, case.reason)
    timings.add(at - first_log_time(kubectl, engine_pods(kubectl, served.name)[-1], case.decisive))
    mark = served.mark()
    restore(kubectl, served.name, before)
    served.until(serves, timeout_s=START_S, what="Ready and not Degraded after the edit back", since=mark)


@pytest.mark.parametrize("case", FILES.values(), ids=FILES.keys())
def test_a_broken_file_is_explained_and_serves_once_the_file_is_mended(
    kubectl: Kubectl,
    served: Watch,
    timings: Timings,
    case: Case,
) -> None:
    thing, at = broken(kubectl, served, case)
    assert_told_well(thing["status"], case)
    assert_still_serves(thing, case.reason)
    timings.add(at - first_log_time(kubectl, engine_pods(kubectl, served.name)[-1], case.decisive))
    folder = case.edit["model"]["source"].removeprefix("pvc://models")
    mark = served.mark()
    toolbox(kubectl, MEND, f"/models{folder}")
    served.until(serves, timeout_s=START_S, what="Ready with the mended file, nothing else touched", since=mark)


def restore(kubectl: Kubectl, name: str, before: Object) -> None:
    """Put the whole spec back as it was, as `kubectl replace` of the old file would."""
    live = kubectl.get("dss", name)
    assert live is not None
    live["spec"] = before["spec"]
    kubectl("replace", "-f", "-", stdin=json.dumps(live))


def test_a_memory_limit_too_small_is_named_and_a_larger_one_serves(kubectl: Kubectl) -> None:
    with Watch(kubectl, "starved") as watch:
        kubectl.apply(resource("starved", resources={"memory": "500Mi"}, engine={"kvCacheMemory": "16Mi"}))
        seen = watch.until(failed_with("HostOutOfMemory"), timeout_s=FAIL_S, what="HostOutOfMemory")
        assert condition(seen.object, "Ready") | {"status": "False", "reason": "HostOutOfMemory"} == condition(
            seen.object, "Ready"
        )
        assert "spec.resources.memory" in seen.object["status"]["failure"]["remedy"]
        mark = watch.mark()
        kubectl.patch("dss", "starved", {"spec": {"resources": {"memory": "4Gi"}}})
        watch.until(serves, timeout_s=START_S, what="Ready with more memory", since=mark)
    kubectl("delete", "dss", "starved")


def test_pods_that_never_served_make_room_for_the_revision_that_cures_them(kubectl: Kubectl) -> None:
    """The node holds one such pod and not two, so the surge of a rolling update alone would wait for ever."""
    with Watch(kubectl, "wide") as watch:
        memory = str(free_memory(kubectl) * 6 // 10)
        kubectl.apply(resource("wide", model={"source": "pvc://models/nothing-here"}, resources={"memory": memory}))
        watch.until(failed_with("ModelNotFound"), timeout_s=FAIL_S, what="ModelNotFound")
        mark = watch.mark()
        kubectl.patch("dss", "wide", {"spec": {"model": {"source": "pvc://models/tiny"}}})
        watch.until(serves, timeout_s=START_S, what="Ready with the right folder", since=mark)
    kubectl("delete", "dss", "wide")


def free_memory(kubectl: Kubectl) -> int:
    """Bytes of memory that no pod has asked for, on the one node."""
    (node,) = kubectl.list("nodes")
    pods = json.loads(kubectl("get", "pods", "--all-namespaces", "-o", "json"))["items"]
    asked = [
        container.get("resources", {}).get("requests", {}).get("memory", "0")
        for pod in pods
        if pod["status"]["phase"] in ("Pending", "Running")
        for container in pod["spec"]["containers"]
    ]
    free = parse_quantity(node["status"]["allocatable"]["memory"]) - sum(map(parse_quantity, asked))
    return int(free)


SIGNALS = {
    "kill -9 of the engine core while serving": ("SIGKILL", "EngineCore", "EngineCoreDied"),
    "kill -9 of the server while serving": ("SIGKILL", "serve", "Unknown"),
    "SIGSTOP of the server while serving": ("SIGSTOP", "serve", "EngineUnresponsive"),
    "SIGSTOP of the engine core while serving": ("SIGSTOP", "EngineCore", "EngineUnresponsive"),
}


@pytest.mark.parametrize(("signal", "word", "reason"), SIGNALS.values(), ids=SIGNALS.keys())
def test_a_serving_engine_that_dies_or_hangs_is_explained_and_comes_back_by_itself(
    kubectl: Kubectl,
    served: Watch,
    signal: str,
    word: str,
    reason: str,
) -> None:
    fresh_pod(kubectl, served)
    mark = served.mark()
    signal_engine(kubectl, served.name, signal, word)
    seen = served.until(failed_with(reason), timeout_s=FAIL_S, what=reason, since=mark)
    assert condition(seen.object, "Ready")["status"] == "False"
    assert condition(seen.object, "Ready")["reason"] == reason
    assert seen.object["status"]["failure"]["message"]
    served.until(serves, timeout_s=START_S, what="Ready again by itself", since=seen.index)


def fresh_pod(kubectl: Kubectl, served: Watch) -> None:
    """Another pod in the place of the one that serves: the kubelet's back-off grows with each restart of a pod."""
    mark = served.mark()
    kubectl("delete", "pod", "-l", f"deepseekserve.io/name={served.name}")
    gone = served.until(lambda r: not is_true("Ready")(r), timeout_s=60, what="not Ready without its pod", since=mark)
    served.until(serves, timeout_s=START_S, what="Ready with another pod", since=gone.index)


def signal_engine(kubectl: Kubectl, name: str, signal: str, word: str) -> None:
    pod = engine_pods(kubectl, name)[-1]["metadata"]["name"]
    kubectl("exec", pod, "--", "python3", "-c", (DATA / "signal_engine.py").read_text(), signal, word)


LOADING = {
    "kill -9 of the engine core while loading": ("SIGKILL", "EngineCore", {"EngineCoreDied"}),
    "SIGSTOP of the engine while loading": ("SIGSTOP", "serve", {"StartupStalled"}),
}


@pytest.mark.parametrize(("signal", "word", "reasons"), LOADING.values(), ids=LOADING.keys())
def test_an_engine_that_dies_or_hangs_while_loading_is_explained_and_comes_up_by_itself(
    kubectl: Kubectl,
    signal: str,
    word: str,
    reasons: set[str],
) -> None:
    name = f"loading-{signal.lower()}"
    with Watch(kubectl, name) as watch:
        kubectl.apply(resource(name, startup={"stallSeconds": 30}))
        watch.until(at_percent(1), timeout_s=START_S, what="the start under way")
        loading_pod(kubectl, watch)
        signal_engine(kubectl, name, signal, word)
        seen = watch.until(
            lambda r: r["status"].get("failure", {}).get("reason") in reasons, timeout_s=FAIL_S, what=str(reasons)
        )
        assert condition(seen.object, "Ready")["reason"] in reasons
        assert not is_true("Stalled")(seen.object)
        watch.until(serves, timeout_s=START_S, what="Ready by itself")
    kubectl("delete", "dss", name)


def at_percent(least: int) -> Any:
    return lambda r: r.get("status", {}).get("startup", {}).get("percent", 0) >= least


def loading_pod(kubectl: Kubectl, watch: Watch) -> None:
    """Wait, through the pod's own log, until the engine core has begun: only then is there one to signal."""
    pod = engine_pods(kubectl, watch.name)[-1]["metadata"]["name"]
    assert any("Initializing a V1 LLM engine" in line for line in log_lines(kubectl, pod)), (
        "the engine core never began"
    )
