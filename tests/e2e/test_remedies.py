"""Advice that is followed to the letter: what status.failure.fixes says is applied, one failure after the other, until
the model serves; and failures that no field cures, each with the reason and the step that its owner needs.

The resources start, fail and are edited side by side.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.cases import FAIL_S, STARTED_ALL_THE_SAME, Case, assert_predicted, assert_told_everywhere
from tests.e2e.conftest import START_S, engine_pods
from tests.e2e.groups import MEMORY, group
from tests.e2e.timing import Timings
from tests.lab.kubectl import Kubectl, Object
from tests.lab.setup import Lab
from tests.lab.watch import Seen, Watch, condition, failed_with, is_current, serves, serves_and_tells
from tests.specs import patch_of

# What is wrong with each resource, and the reasons in the order in which the engine finds them.
WRONG: Mapping[str, tuple[Mapping[str, Any], tuple[str, ...]]] = {
    "arguments": (
        {"engine": {"extraArgs": ["--blok-size=32", "--max-num-seqz=8"]},
         "resources": {"parallelism": {"tensor": 3}, **MEMORY}},
        ("InvalidArgument", "TensorParallelIndivisible", "NotEnoughDevices"),
    ),
    "lengths": (
        {"model": {"source": "pvc://models/own-code"}, "engine": {"maxModelLen": 999999, "kvCacheMemory": "1Mi"}},
        ("RemoteCodeRequired", "ContextTooLong", "KVCacheTooSmall"),
    ),
    "formats": (
        {"engine": {"quantization": "FP8", "kvCacheMemory": "40Gi"}, "resources": {"memory": None}},
        ("QuantizationUnsupported", "NoKVCacheMemory"),
    ),
    "image": (
        {"engine": {
            "quantization": "AWQ", "enforceEager": False, "env": [{"name": "CXX", "value": "/nowhere/g++"}],
        }},
        ("QuantizationMissingConfig", "MissingDependency"),
    ),
}

# A container's first process that does not say what SIGTERM does is deaf to it: `timeout` passes it on.
SQUATTER = {
    "name": "squatter", "command": ["timeout", "3600", "python3", "-m", "http.server", "8000"],
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}


LOST = ("tomorrow", "wordless", "half", "engineless", "squatted", "hub")


def hopeless(lab: Lab) -> dict[str, Case]:
    """Failures that need another model, image or pod, by the names of their resources."""
    squatter = {**SQUATTER, "image": lab.engine_image}
    return {
        "tomorrow": Case(
            "UnsupportedArchitecture", {"model": {"source": "pvc://models/tomorrow"}}, "TomorrowForCausalLM",
            ("TomorrowForCausalLM",)),
        "wordless": Case("TokenizerError", {"model": {"source": "pvc://models/wordless"}}, "line 1 column"),
        "half": Case("CorruptModel", {"model": {"source": "pvc://models/half"}}, "not a valid JSON file"),
        "engineless": Case("MissingDependency", {"engine": {"image": lab.operator_image}}, "", ("vllm",)),
        "squatted": Case("PortInUse", {"podTemplate": {"spec": {"containers": [squatter]}}}, "Address already in use"),
        "hub": Case(
            "HubUnreachable", {"model": {"source": "hf://somebody/a-model-of-his-own"}}, "huggingface"),
    }


# What the reader of the model says of some of them before an engine starts.
READ = {"tomorrow": "TomorrowForCausalLM", "half": "config.json is damaged", "hub": "does not answer"}


def followed(kubectl: Kubectl, watch: Watch, told: Timings) -> list[Seen]:
    """Apply the fixes of each failure and nothing else; its states: each failure, and at last the one that serves."""
    states = [decided(watch, 0)]
    while not serves(states[-1].object):
        failed = states[-1].object
        failure = failed["status"]["failure"]
        assert failure.get("fixes"), failure
        for pod in engine_pods(kubectl, watch.name)[-1:]:
            told.add_since(kubectl, pod, failure["logExcerpt"].splitlines()[-1], states[-1].at)
        kubectl.patch("dss", watch.name, patch_of(failure["fixes"]))
        states.append(decided(watch, failed["metadata"]["generation"]))
    return states


def decided(watch: Watch, after: int) -> Seen:
    """The first state in which it serves or has failed, of a later generation of the spec."""
    def holds(thing: Object) -> bool:
        is_told = is_current(thing) and thing["metadata"]["generation"] > after
        return is_told and (serves_and_tells(thing) or "failure" in thing["status"])

    return watch.until(holds, timeout_s=START_S, what="a failure, or Ready")


@pytest.fixture(scope="module")
def cured(kubectl: Kubectl, told: Timings) -> dict[str, "Future[list[Seen]]"]:
    """The states of each wrong resource while its advice was followed; the node has room for others afterwards."""
    with (
        group(kubectl, {name: {**spec, **STARTED_ALL_THE_SAME} for name, (spec, _) in WRONG.items()}) as watches,
        ThreadPoolExecutor(len(watches)) as pool,
    ):
        return {name: pool.submit(followed, kubectl, watch, told) for name, watch in watches.items()}


@pytest.mark.parametrize("name", WRONG)
def test_the_fixes_applied_literally_make_it_serve(cured: dict[str, "Future[list[Seen]]"], name: str) -> None:
    *failures, last = cured[name].result()
    assert tuple(seen.object["status"]["failure"]["reason"] for seen in failures) == WRONG[name][1]
    assert serves(last.object)
    assert_predicted(last.object)


@pytest.fixture(scope="module")
def losing(kubectl: Kubectl, lab: Lab) -> Iterator[Mapping[str, Watch]]:
    """Each resource that no field can cure, watched from the beginning."""
    cases = hopeless(lab)
    assert tuple(cases) == LOST
    with group(kubectl, {name: {**case.edit, **STARTED_ALL_THE_SAME} for name, case in cases.items()}) as watches:
        yield watches


@pytest.fixture(scope="module")
def lost(kubectl: Kubectl, lab: Lab, told: Timings, losing: Mapping[str, Watch]) -> dict[str, Seen]:
    """The state in which each has failed."""
    states = {}
    for name, case in hopeless(lab).items():
        seen = losing[name].until(failed_with(case.reason), timeout_s=FAIL_S, what=case.reason)
        if case.decisive:
            told.add_since(kubectl, engine_pods(kubectl, name)[-1], case.decisive, seen.at)
        states[name] = seen
    return states


@pytest.mark.parametrize("name", READ)
def test_what_was_read_is_told_before_an_engine_is_made(
    losing: Mapping[str, Watch], read: Timings, name: str,
) -> None:
    def is_told(thing: Object) -> bool:
        told = condition(thing, "Fits")
        return told.get("status") == "Unknown" and READ[name] in told["message"]

    seen = losing[name].until(is_told, timeout_s=FAIL_S, what="what was read")
    before = losing[name].seen[: seen.index]
    assert not [s for s in before if s.object.get("status", {}).get("currentRevision")]
    read.add(seen.at - losing[name].seen[0].at)


@pytest.mark.parametrize("name", LOST)
def test_what_no_field_cures_is_explained(kubectl: Kubectl, lost: dict[str, Seen], lab: Lab, name: str) -> None:
    assert_told_everywhere(kubectl, lost[name].object, hopeless(lab)[name])
