"""Real starts, eager and compiling: phases in order, percent never falling, Ready only after a completion."""


import pytest

from tests.e2e.conftest import START_S, engine_pods, resource
from tests.e2e.timing import Timings, log_times
from tests.lab.kubectl import Kubectl
from tests.lab.watch import Watch, condition, serves

TIMED = "completion to Ready=True (aim: p95 below 1.5 s)"
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
    timings: Timings,
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
    first_true = next(s for s in watch.seen if condition(s.object, "Ready").get("status") == "True")
    completed = log_times(kubectl, engine_pods(kubectl, name)[-1], '"POST /v1/completions HTTP/1.1" 200')
    assert completed, "no completion in the engine's own access log"
    assert completed[0] < first_true.at
    timings.add(first_true.at - completed[0])
    assert ready.object["status"]["observedGeneration"] == 1
    kubectl("delete", "dss", name)
