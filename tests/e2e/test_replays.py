"""Recorded starts of other machines, played in real pods: told in the status as what they are, or served.

There is no GPU here, so the node claims some, and the image `replay` writes what engines on real ones have written. A
replay takes next to no CPU and memory: all are played at once.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from deepseekserve.agent.diagnose import diagnose
from tests.e2e.cases import FAIL_S, Case, assert_told_everywhere
from tests.e2e.conftest import START_S, engine_pods, leave, namespace_with_model
from tests.e2e.groups import group
from tests.e2e.test_starts import phases_in_order
from tests.e2e.timing import Timings, completion_to_ready
from tests.images import ensure
from tests.lab.kubectl import Kubectl, Object
from tests.lab.setup import Lab, cluster
from tests.lab.watch import Seen, Watch, failed_with, serves, serves_and_tells
from tests.logs import recorder
from tests.logs.replays import stage
from tests.logs.test_phases_by_log import shown_by
from tests.logs.test_wordings import WORDINGS

SPEED = 5
FIRST_S = 20             # until all containers run; then they fail a second apart, as failures on clusters do
SMALL = {"cpu": "10m", "memory": "128Mi"}

# From tests/logs, with words of the decisive line.
ON_CPU = {
    "fail-tp64": "must be divisible by tensor parallel size",
    "fail-quant-fp8-on-plain": "_C::static_scaled_fp8_quant() expected",
    "fail-dtype-unknown": "argument --dtype: invalid choice",
}
UP_ON_CPU = ("ok-f-fastest", "ok-n-maxlen-auto")
# Failures of which there is no recording, only the words.
WORDED = ("ModelAccessDenied", "NcclError", "NoCudaDevice", "SharedMemoryTooSmall")
# From third parties, each for another reason; those that came up with the GPUs that they had.
ON_GPU = ("001", "012", "016", "019", "042", "047", "054", "059", "064", "070", "092", "097", "106", "109")
UP_ON_GPU = {"029": 1, "046": 2, "060": 1}


@dataclass(frozen=True)
class Replay:
    """A recording, the GPUs that its pod asks for, and of a failure the reason, words of the decisive line, the end."""

    pieces: tuple[tuple[float, bytes], ...]
    gpus: int = 0
    reason: str = ""
    decisive: str = ""
    exit_code: int | None = None

    @property
    def log(self) -> bytes:
        return b"".join(data for _, data in self.pieces)

    def case(self) -> Case:
        """What must be told: all that the diagnosis, which other tests hold to its word, reads in the log."""
        told: Any = diagnose(io.BytesIO(self.log))
        fixes = {fix["field"]: fix["value"] for fix in told["fixes"]}
        return Case(self.reason, {}, self.decisive, (told["message"], *told["remedy"].split("POD")), fixes)

    def spec(self, name: str, image: str) -> Object:
        gpus = {"gpu": {"count": self.gpus}} if self.gpus else {}
        return {
            "model": {"source": f"pvc://models/replays/{name}"},
            "engine": {"image": image, "device": "GPU" if self.gpus else "CPU"},
            "resources": {**SMALL, **gpus},
        }


FAILURES = {
    f"cpu-{log}": Replay(
        tuple(log.timed()), reason=log.cause, decisive=ON_CPU[str(log)], exit_code=int(log.field("exit_code"))
    )
    for log in recorder.CPU_FAILURES if str(log) in ON_CPU
} | {
    f"worded-{w.reason.lower()}": Replay(
        ((0.0, f"{w.text}\n".encode()),), gpus=1, reason=w.reason, decisive=w.text.splitlines()[0], exit_code=1
    )
    for w in WORDINGS if w.reason in WORDED
} | {
    f"gpu-fail-{log}": Replay(
        tuple(log.timed()), gpus=1, reason=log.cause, decisive=log.field("decisive_line"), exit_code=1
    )
    for log in recorder.GPU_FAILURES if str(log) in ON_GPU
}
SUCCESSES = {
    f"cpu-{log}": Replay(tuple(log.timed())) for log in recorder.CPU_SUCCESSES if str(log) in UP_ON_CPU
} | {
    f"gpu-ok-{log}": Replay(tuple(log.timed()), UP_ON_GPU[str(log)])
    for log in recorder.GPU_SUCCESSES if str(log) in UP_ON_GPU
}
REPLAYS = FAILURES | SUCCESSES


@pytest.fixture(scope="module")
def kubectl(lab: Lab) -> Iterator[Kubectl]:
    """kubectl in a namespace of their own, since they run beside the tests with real engines."""
    kubectl = namespace_with_model(lab, "dss-replays")
    yield kubectl
    leave(lab, kubectl)


@pytest.fixture(scope="module")
def played(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Watch]]:
    """One resource for each replay, by its name; all applied at once."""
    image = ensure("replay")
    cluster(print, "load", str(image.archive))
    folder = tmp_path_factory.mktemp("staged") / "replays"
    for number, (name, replay) in enumerate(REPLAYS.items()):
        stage(folder / name, later(replay.pieces, FIRST_S + number), speed=SPEED, exit_code=replay.exit_code)
    kubectl("cp", str(folder), "toolbox:/models/")
    with group(kubectl, {name: replay.spec(name, image.name) for name, replay in REPLAYS.items()}) as watches:
        yield watches


def later(pieces: tuple[tuple[float, bytes], ...], seconds: float) -> tuple[tuple[float, bytes], ...]:
    """The same so many seconds after the container's start, as it is played."""
    return tuple((at + seconds * SPEED, data) for at, data in pieces)


@pytest.fixture(scope="module")
def failed(kubectl: Kubectl, played: dict[str, Watch], told: Timings) -> dict[str, Seen]:
    """The state in which each failure was told."""
    states = {}
    for name, replay in FAILURES.items():
        seen = played[name].until(failed_with(replay.reason), timeout_s=FAIL_S, what=replay.reason)
        for pod in engine_pods(kubectl, name)[-1:]:         # there is none once a permanent one was tried three times
            told.add_since(kubectl, pod, replay.decisive, seen.at)
        states[name] = seen
    return states


def test_the_recordings_of_gpus_are_here() -> None:
    if not recorder.GPU.is_dir():
        pytest.skip("the logs from GPU machines belong to third parties: they are played where they are, not copied")
    assert len([name for name in REPLAYS if name.startswith("gpu-")]) == len(ON_GPU) + len(UP_ON_GPU)


@pytest.mark.parametrize("name", FAILURES)
def test_a_recorded_failure_is_told_as_its_log_says(kubectl: Kubectl, failed: dict[str, Seen], name: str) -> None:
    assert_told_everywhere(kubectl, failed[name].object, FAILURES[name].case())


@pytest.mark.parametrize("name", SUCCESSES)
def test_a_recorded_start_is_followed_phase_by_phase_until_it_serves(
    kubectl: Kubectl, played: dict[str, Watch], readied: Timings, name: str
) -> None:
    watch, log = played[name], SUCCESSES[name].log
    ready = watch.until(serves, timeout_s=START_S, what="serving")
    readied.add(completion_to_ready(kubectl, engine_pods(kubectl, name)[-1], ready))
    assert {phase.value for phase in shown_by(log)} <= phases_in_order(watch.seen[: ready.index + 1])
    facts: Any = diagnose(io.BytesIO(log))["facts"]
    plain = {"quantization": facts["quantization"] or "None"}
    told = watch.until(serves_and_tells, timeout_s=START_S, what="what it found", since=ready.index)
    assert told.object["status"]["engine"] == {"notes": [], **facts, **plain}
