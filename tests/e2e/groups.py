"""What the tests of broken files, killed engines and replays share: resources that start, fail and come back together.

Each has a pod of its own, since the kubelet's back-off grows with each restart of a container, and little memory, so
that a group fits on one small node.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.cases import FAIL_S
from tests.e2e.conftest import DATA, delete, engine_pods, resource
from tests.lab.kubectl import Kubectl
from tests.lab.watch import Seen, Watch, condition, failed_with

MEMORY = {"memory": "3Gi"}


@dataclass(frozen=True)
class Kill:
    """A signal to the processes whose command line holds a word, and the reason that it must get."""

    signal: str
    word: str
    reason: str


@dataclass(frozen=True)
class Struck:
    """A resource's watch, and the index of its first state after the signal."""

    watch: Watch
    since: int


@contextmanager
def group(kubectl: Kubectl, specs: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Watch]]:
    """Apply one resource a name, each watched from the beginning; they and their pods are gone at the end."""
    with ExitStack() as stack:
        watches = {name: stack.enter_context(Watch(kubectl, name)) for name in specs}
        kubectl.apply(*(resource(name, **{"resources": MEMORY, **spec}) for name, spec in specs.items()))
        try:
            yield watches
        finally:
            delete(kubectl, *specs)


def strike(kubectl: Kubectl, watch: Watch, kill: Kill) -> Struck:
    """Send the signal to the engine of the resource's newest pod."""
    mark = watch.mark()
    pod = engine_pods(kubectl, watch.name)[-1]["metadata"]["name"]
    kubectl("exec", pod, "--", "python3", "-c", (DATA / "signal_engine.py").read_text(), kill.signal, kill.word)
    return Struck(watch, mark)


def reason_told(struck: Struck, kill: Kill) -> Seen:
    """The first state after the signal that carries the reason, in status.failure and in Ready=False."""
    seen = struck.watch.until(failed_with(kill.reason), timeout_s=FAIL_S, what=kill.reason, since=struck.since)
    ready = condition(seen.object, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", kill.reason)
    return seen
