"""Serving engines that are killed or stopped: a typed reason, and Ready again by themselves."""

from collections.abc import Iterator

import pytest

from tests.e2e.cases import FAIL_S
from tests.e2e.conftest import START_S
from tests.e2e.groups import Kill, Struck, group, strike
from tests.lab.kubectl import Kubectl
from tests.lab.watch import condition, failed_with, serves

KILLS = {
    "serving-core-killed": Kill("SIGKILL", "EngineCore", "EngineCoreDied"),
    "serving-server-killed": Kill("SIGKILL", "serve", "Unknown"),
    "serving-server-stopped": Kill("SIGSTOP", "serve", "EngineUnresponsive"),
    "serving-core-stopped": Kill("SIGSTOP", "EngineCore", "EngineUnresponsive"),
}


@pytest.fixture(scope="module")
def struck(kubectl: Kubectl) -> Iterator[dict[str, Struck]]:
    """Each resource once its engine got its signal; all serve before the first one does."""
    with group(kubectl, {name: {} for name in KILLS}) as watches:
        for watch in watches.values():
            watch.until(serves, timeout_s=START_S, what="Ready after its first start")
        yield {name: strike(kubectl, watches[name], kill) for name, kill in KILLS.items()}


@pytest.mark.parametrize("name", KILLS)
def test_a_serving_engine_that_dies_or_hangs_is_explained_and_comes_back_by_itself(
    struck: dict[str, Struck], name: str
) -> None:
    reason, watch = KILLS[name].reason, struck[name].watch
    seen = watch.until(failed_with(reason), timeout_s=FAIL_S, what=reason, since=struck[name].since)
    ready = condition(seen.object, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert seen.object["status"]["failure"]["message"]
    watch.until(serves, timeout_s=START_S, what="Ready again by itself", since=seen.index)
