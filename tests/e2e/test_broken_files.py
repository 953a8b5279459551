"""Broken files of a model, then kills and stops of the engines that serve the mended ones: a typed reason each time.

Ready comes back once the file is mended, or by itself, with nothing else touched. The resources start, fail and come
back side by side: each waits for itself, and the tests only for what they check.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.cases import FAIL_S, Case, assert_told_everywhere
from tests.e2e.conftest import START_S, engine_pods, toolbox
from tests.e2e.groups import Kill, Struck, group, reason_told, strike
from tests.e2e.timing import Timings, completion_to_ready
from tests.lab.kubectl import Kubectl
from tests.lab.watch import Seen, Watch, condition, failed_with, serves

CASES = {
    "truncated weights": Case("CorruptModel", {"model": {"source": "pvc://models/truncated"}}, "safetensors"),
    "empty weights": Case("CorruptModel", {"model": {"source": "pvc://models/empty"}}, "safetensors"),
    "a Git LFS pointer for weights": Case("CorruptModel", {"model": {"source": "pvc://models/pointer"}}, "safetensors"),
    "an unreadable file": Case(
        "PermissionDenied", {"model": {"source": "pvc://models/unreadable"}}, "No such file or directory"
    ),
}
KILLS = {
    "truncated": Kill("SIGKILL", "EngineCore", "EngineCoreDied"),
    "empty": Kill("SIGKILL", "serve", "Unknown"),
    "pointer": Kill("SIGSTOP", "serve", "EngineUnresponsive"),
    "unreadable": Kill("SIGSTOP", "EngineCore", "EngineUnresponsive"),
}
MEND = """
import os, shutil, sys
target = sys.argv[1] + "/model.safetensors"
os.chmod(target, 0o644)
shutil.copyfile("/models/tiny/model.safetensors", target)
"""
Watches = dict[str, Watch]


def folder(case: Case) -> str:
    source: str = case.edit["model"]["source"]
    return source.removeprefix("pvc://models/")


@pytest.fixture(scope="module")
def broken(kubectl: Kubectl) -> Iterator[Watches]:
    """One resource for each broken copy of the model, by the name of its folder; all applied at once."""
    with group(kubectl, {folder(case): case.edit for case in CASES.values()}) as watches:
        yield watches


@pytest.fixture(scope="module")
def failed(kubectl: Kubectl, broken: Watches, told: Timings) -> dict[str, Seen]:
    """The state in which each has failed; its file is replaced by the good one at once, before it fails again."""
    states = {}
    for case in CASES.values():
        name = folder(case)
        seen = broken[name].until(failed_with(case.reason), timeout_s=FAIL_S, what=case.reason)
        told.add_since(kubectl, engine_pods(kubectl, name)[-1], case.decisive, seen.at)
        toolbox(kubectl, MEND, f"/models/{name}")
        states[name] = seen
    return states


@pytest.fixture(scope="module")
def struck(kubectl: Kubectl, broken: Watches, failed: dict[str, Seen]) -> dict[str, Struck]:
    """The same resources once the engine of each got its signal; all serve before the first one does."""
    for name in broken:
        serves_mended(broken[name], failed[name])
    return {name: strike(kubectl, broken[name], kill) for name, kill in KILLS.items()}


def serves_mended(watch: Watch, failed: Seen) -> Seen:
    """The first state after the failure that serves."""
    what = "Ready with the mended file, nothing else touched"
    return watch.until(serves, timeout_s=START_S, what=what, since=failed.index)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_broken_file_is_explained(
    kubectl: Kubectl, broken: Watches, failed: dict[str, Seen], case: Case
) -> None:
    seen = failed[folder(case)]
    assert_told_everywhere(kubectl, seen.object, case)
    before = broken[folder(case)].seen[: seen.index]
    assert not [s for s in before if condition(s.object, "Ready").get("status") == "True"]


@pytest.mark.parametrize("name", [folder(case) for case in CASES.values()])
def test_it_serves_once_the_file_is_mended(
    kubectl: Kubectl, broken: Watches, failed: dict[str, Seen], readied: Timings, name: str
) -> None:
    ready = serves_mended(broken[name], failed[name])
    waited_s = completion_to_ready(kubectl, engine_pods(kubectl, name)[-1], ready)
    assert waited_s > 0
    readied.add(waited_s)


@pytest.mark.parametrize("name", KILLS, ids=[f"{k.signal} to {k.word}" for k in KILLS.values()])
def test_a_serving_engine_that_dies_or_hangs_is_explained_and_comes_back_by_itself(
    kubectl: Kubectl, struck: dict[str, Struck], readied: Timings, name: str
) -> None:
    seen = reason_told(struck[name], KILLS[name])
    assert seen.object["status"]["failure"]["message"]
    ready = struck[name].watch.until(serves, timeout_s=START_S, what="Ready again by itself", since=seen.index)
    readied.add(completion_to_ready(kubectl, engine_pods(kubectl, name)[-1], ready))
