"""Loading engines that are killed or stopped: a typed reason, and Ready by themselves, with the predicted cache."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.cases import assert_predicted
from tests.e2e.conftest import START_S, engine_pods
from tests.e2e.groups import Kill, Struck, group, reason_told, strike
from tests.lab.kubectl import Kubectl, log_lines
from tests.lab.watch import Watch, is_true, serves_and_tells

KILLS = {
    "loading-core-killed": Kill("SIGKILL", "EngineCore", "EngineCoreDied"),
    "loading-server-stopped": Kill("SIGSTOP", "serve", "StartupStalled"),
}
STALL_S = 60            # a start is silent for 4 to 6 s on two idle cores, and for more than 30 among many processes
# Each with another cache than the tests of whole files have.
SETTINGS: dict[str, dict[str, Any]] = {
    "loading-core-killed": {"kvCacheMemory": "96Mi", "dtype": "Float32"},
    "loading-server-stopped": {"kvCacheMemory": "48Mi", "extraArgs": ["--block-size=32"]},
}


@pytest.fixture(scope="module")
def struck(kubectl: Kubectl) -> Iterator[dict[str, Struck]]:
    """Each resource once its engine core had begun and got its signal."""
    specs = {name: {"startup": {"stallSeconds": STALL_S}, "engine": SETTINGS[name]} for name in KILLS}

    def struck_in_time(watch: Watch) -> Struck:
        watch.until(at_percent(1), timeout_s=START_S, what="the start under way")
        await_engine_core(kubectl, watch.name)
        return strike(kubectl, watch, KILLS[watch.name])

    with group(kubectl, specs) as watches, ThreadPoolExecutor(len(watches)) as pool:
        yield dict(zip(watches, pool.map(struck_in_time, watches.values()), strict=True))


def at_percent(least: int) -> Any:
    return lambda r: r.get("status", {}).get("startup", {}).get("percent", 0) >= least


def await_engine_core(kubectl: Kubectl, name: str) -> None:
    """Wait, through the pod's own log, until the engine core has begun: only then is there one to signal."""
    pod = engine_pods(kubectl, name)[-1]["metadata"]["name"]
    assert any("Initializing a V1 LLM engine" in line for line in log_lines(kubectl, pod)), (
        "the engine core never began"
    )


@pytest.mark.parametrize("name", KILLS)
def test_an_engine_that_dies_or_hangs_while_loading_is_explained_and_comes_up_by_itself(
    struck: dict[str, Struck], name: str
) -> None:
    seen = reason_told(struck[name], KILLS[name])
    assert not is_true("Stalled")(seen.object)
    ready = struck[name].watch.until(serves_and_tells, timeout_s=START_S, what="Ready by itself", since=seen.index)
    assert_predicted(ready.object)
