"""Real starts, eager and compiling: phases in order, percent never falling, Ready only after a completion."""

import pytest

from tests.e2e.conftest import START_S, engine_pods, resource
from tests.e2e.timing import Timings, completion_to_ready
from tests.lab.kubectl import Kubectl
from tests.lab.watch import Watch, serves

ORDER = [
    "Pending",
    "Scheduling",
    "Pulling",
    "Starting",
    "Downloading",
    "LoadingWeights",
    "Compiling",
    "ProfilingMemory",
    "CapturingGraphs",
    "Serving",
]
STARTS = {
    "eager": (True, {"Starting", "LoadingWeights", "ProfilingMemory", "Serving"}),
    "compiling": (False, {"Starting", "LoadingWeights", "Compiling", "ProfilingMemory", "Serving"}),
}


@pytest.mark.parametrize(("eager", "occurs"), STARTS.values(), ids=STARTS.keys())
def test_a_start_shows_its_phases_in_order_and_is_ready_only_when_usable(
    kubectl: Kubectl,
    readied: Timings,
    eager: bool,
    occurs: set[str],
) -> None:
    name = "eager" if eager else "compiling"
    with Watch(kubectl, name) as watch:
        kubectl.apply(resource(name, engine={"enforceEager": eager}))
        ready = watch.until(serves, timeout_s=START_S, what="Ready")
    phases = [s.object["status"]["phase"] for s in watch.seen if s.object.get("status", {}).get("phase")]
    ranks = [ORDER.index(p) for p in phases]
    assert ranks == sorted(ranks), phases
    assert occurs <= set(phases), phases
    percents = [
        s.object["status"]["startup"]["percent"]
        for s in watch.seen
        if s.object.get("status", {}).get("startup", {}).get("percent") is not None
    ]
    assert percents == sorted(percents), percents
    assert all(p % 5 == 0 for p in percents)
    waited_s = completion_to_ready(kubectl, engine_pods(kubectl, name)[-1], watch)
    assert waited_s > 0, "Ready before a completion"
    readied.add(waited_s)
    assert ready.object["status"]["observedGeneration"] == 1
    kubectl("delete", "dss", name)
