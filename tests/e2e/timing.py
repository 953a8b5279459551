"""Measures how fast the product tells: times from the kubelet's log stamps to the watch; reported, never asserted."""

import statistics
from dataclasses import dataclass, field
from datetime import datetime

from tests.lab.kubectl import Kubectl, Object


@dataclass
class Timings:
    """Seconds of one kind, with a one-line report that ends the test run's output."""

    what: str
    seconds: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def report(self) -> str:
        if not self.seconds:
            return f"{self.what}: not measured"
        ordered = sorted(self.seconds)
        p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
        p50, most = statistics.median(ordered), ordered[-1]
        return f"{self.what}: n={len(ordered)} p50={p50:.2f} s p95={p95:.2f} s max={most:.2f} s"


def log_times(kubectl: Kubectl, pod: Object, words: str) -> list[float]:
    """Wall-clock times of the lines of a pod's log, this container's and its predecessor's, that hold `words`."""
    name, times = pod["metadata"]["name"], []
    restarted = any(s.get("restartCount") for s in pod["status"].get("containerStatuses", []))
    for more in [["--previous"], []] if restarted else [[]]:
        # Progress bars are joined by carriage returns, at which splitlines() would split too.
        for line in kubectl("logs", "--timestamps", *more, name).split("\n"):
            stamp, _, text = line.partition(" ")
            if words in text:
                times.append(datetime.fromisoformat(stamp).timestamp())
    return times


def first_log_time(kubectl: Kubectl, pod: Object, words: str) -> float:
    """Time of the first line of a pod's log that holds `words`; raises IndexError without one."""
    return log_times(kubectl, pod, words)[0]
