"""Measures how fast the product tells: times from the kubelet's log stamps to the watch; reported, never asserted."""

import statistics
from dataclasses import dataclass, field
from datetime import datetime

from tests.lab.kubectl import Kubectl, KubectlFailed, Object
from tests.lab.watch import Seen


@dataclass
class Timings:
    """Seconds of one kind, with a one-line report that ends the test run's output."""

    what: str
    seconds: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def add_since(self, kubectl: Kubectl, pod: Object, words: str, at: float) -> None:
        """Add the time from the last line with these words to `at`; nothing when the kubelet no longer has that log."""
        before = [t for t in log_times(kubectl, pod, words) if t <= at]
        if before:
            self.add(at - before[-1])

    def report(self) -> str:
        if not self.seconds:
            return f"{self.what}: not measured"
        ordered = sorted(self.seconds)
        p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
        p50, most = statistics.median(ordered), ordered[-1]
        return f"{self.what}: n={len(ordered)} p50={p50:.2f} s p95={p95:.2f} s max={most:.2f} s"


def log_times(kubectl: Kubectl, pod: Object, words: str) -> list[float]:
    """Wall-clock times of the lines of a pod's log, this container's and its predecessor's, that hold `words`.

    A predecessor's log goes when the next container ends, which may be now: then there is no time to be measured.
    """
    restarted = any(s.get("restartCount") for s in pod["status"].get("containerStatuses", []))
    try:
        before = stamps(kubectl, pod, words, "--previous") if restarted else []
    except KubectlFailed as error:
        if "previous terminated container" not in error.stderr:
            raise
        before = []
    return before + stamps(kubectl, pod, words)


def stamps(kubectl: Kubectl, pod: Object, words: str, *more: str) -> list[float]:
    """The same of one container, by the options of `kubectl logs`; its own is the last that was started."""
    times = []
    # Progress bars are joined by carriage returns, at which splitlines() would split too.
    for line in kubectl("logs", "--timestamps", *more, pod["metadata"]["name"]).split("\n"):
        stamp, _, text = line.partition(" ")
        if words in text:
            times.append(datetime.fromisoformat(stamp).timestamp())
    return times


def completion_to_ready(kubectl: Kubectl, pod: Object, ready: Seen) -> float:
    """Seconds from the first completion in the engine's own access log, since its last start, to the given state."""
    completed = stamps(kubectl, pod, '"POST /v1/completions HTTP/1.1" 200')
    assert completed, "no completion in the engine's own access log"
    return ready.at - completed[0]
