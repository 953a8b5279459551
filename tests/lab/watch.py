"""Follows objects through a real watch and keeps every state seen, with its time."""

import codecs
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Self

from tests.lab.kubectl import Kubectl, Object

Predicate = Callable[[Object], object]
AGAIN_S = 0.5  # after the end of a watch; an API server whose CRD has just changed answers 429 for less than a second


@dataclass(frozen=True)
class Seen:
    """One state of the object, when it arrived here (seconds, wall clock), and how many came before it."""

    at: float
    object: Object
    index: int


@dataclass
class Watch:
    """`kubectl get KIND NAME --watch`, read by a thread; use as a context manager.

    The API server ends every watch of a kind when its CRD changes, and kubectl with it: the thread then starts another
    one. A state that both show is kept once.
    """

    kubectl: Kubectl
    name: str
    kind: str = "deepseekserve"
    seen: list[Seen] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _left: threading.Event = field(default_factory=threading.Event)
    _process: "subprocess.Popen[bytes] | None" = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        process = self._start()
        self._thread = threading.Thread(target=self._follow, args=(process,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._thread is not None
        with self._changed:
            self._left.set()
            assert self._process is not None
            self._process.terminate()
        self._thread.join()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = self.kubectl.command(
            "get", self.kind, f"--field-selector=metadata.name={self.name}", "--watch", "-o", "json"
        )
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return self._process

    def _follow(self, process: "subprocess.Popen[bytes]") -> None:
        while True:
            assert process.stdout is not None
            with process:
                self._read(process.stdout)
            if self._left.wait(AGAIN_S):
                return
            with self._changed:
                if self._left.is_set():
                    return
                process = self._start()

    def _read(self, stream: IO[bytes]) -> None:
        for item in objects(stream):
            with self._changed:
                if self.seen and _version(self.seen[-1].object) == _version(item):
                    continue
                self.seen.append(Seen(time.time(), item, len(self.seen)))
                self._changed.notify_all()

    def until(self, holds: Predicate, *, timeout_s: float, what: str, since: int = 0) -> Seen:
        """The first state from index `since` on for which `holds`; raises AssertionError with the last state."""
        deadline = time.monotonic() + timeout_s
        looked_at = since
        with self._changed:
            while True:
                for state in self.seen[looked_at:]:
                    looked_at += 1
                    if holds(state.object):
                        return state
                left = deadline - time.monotonic()
                if left <= 0:
                    last = self.seen[-1].object.get("status") if self.seen else None
                    raise AssertionError(
                        f"{self.name}: {what}: not seen in {timeout_s:.0f} s; last status: {json.dumps(last, indent=1)}"
                    )
                self._changed.wait(left)

    def mark(self) -> int:
        """The index of the next state, to be given to `until` as `since`."""
        with self._changed:
            return len(self.seen)


def objects(stream: IO[bytes]) -> Iterator[Object]:
    """JSON objects written one after another into a stream, each as soon as it is whole."""
    decoder, utf8, text = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")(), ""
    while chunk := stream.read1(65536):  # type: ignore[attr-defined]
        text += utf8.decode(chunk)
        while text := text.lstrip():
            try:
                item, end = decoder.raw_decode(text)
            except json.JSONDecodeError:
                break
            text = text[end:]
            yield item


def _version(item: Object) -> str:
    version: str = item["metadata"]["resourceVersion"]
    return version


def condition(resource: Object, kind: str) -> Object:
    """One condition of a resource; empty when it has none of that type."""
    for item in resource.get("status", {}).get("conditions", []):
        if item["type"] == kind:
            found: Object = item
            return found
    return {}


def is_true(kind: str) -> Predicate:
    """Predicate: the condition of this type is True."""
    return lambda resource: condition(resource, kind).get("status") == "True"


def is_current(resource: Object) -> bool:
    """The status speaks of the spec as it stands."""
    observed: int = resource.get("status", {}).get("observedGeneration", -1)
    return bool(observed == resource["metadata"]["generation"])


def has_ready(replicas: int) -> Predicate:
    """Predicate: so many replicas are ready, for the spec as it stands."""
    return lambda resource: is_current(resource) and resource["status"].get("readyReplicas") == replicas


def failed_with(reason: str) -> Predicate:
    """Predicate: status.failure carries this reason, for the spec as it stands."""
    return lambda resource: is_current(resource) and resource["status"].get("failure", {}).get("reason") == reason


def serves(resource: Object) -> bool:
    """Ready, settled and without a failure, for the spec as it stands."""
    return (
        is_current(resource)
        and bool(is_true("Ready")(resource))
        and not is_true("Reconciling")(resource)
        and not is_true("Degraded")(resource)
    )


def serves_and_tells(resource: Object) -> bool:
    """`serves`, with what the engine reports: readiness is Kubernetes' word and waits for no agent's answer."""
    return serves(resource) and "engine" in resource["status"]
