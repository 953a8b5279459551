"""Everything that an own watch saw of some kinds, and what must hold of it at every moment."""

import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from deepseekserve import names
from deepseekserve.kube import Kind, Object
from deepseekserve.kube.kinds import DEPLOYMENTS, REVISIONS
from tests.lab.kubectl import Kubectl
from tests.lab.watch import objects

REPLICA_SETS = Kind("apps/v1", "ReplicaSet", "replicasets")
GROUPS = (REVISIONS, DEPLOYMENTS, REPLICA_SETS)


@contextmanager
def watching(kubectl: Kubectl, kind: Kind, see: Callable[[str, Object], None]) -> Iterator[Callable[[], bool]]:
    """Call `see` with the type and the object of each event, in a thread; yields what tells whether it still does."""
    resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    options = ("-A", f"-l{names.LABEL_NAME}", "--watch", "--output-watch-events", "-ojson")
    command = kubectl.command("get", resource, *options)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    stream = process.stdout
    assert stream

    def follow() -> None:
        for event in objects(stream):
            see(event["type"], event["object"])

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield lambda: thread.is_alive() and process.poll() is None
    finally:
        process.kill()
        process.wait()
        thread.join()
        stream.close()


@dataclass
class History:
    """Looks for doubles after each event; `doubles` says in words what was seen twice at one moment."""

    events: int = 0
    doubles: list[str] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    _live: dict[str, dict[str, Object]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def see(self, kind: str, obj: Object) -> None:
        """Take in one event."""
        what, uid = obj["kind"], obj["metadata"]["uid"]
        with self._lock:
            self.events += 1
            live = self._live.setdefault(what, {})
            self.made[what] += uid not in live
            live.pop(uid, None)
            if kind != "DELETED":
                live[uid] = obj
                self.doubles += self._doubles_of(obj, live.values())

    def _doubles_of(self, obj: Object, live: Iterable[Object]) -> list[str]:
        same = [other for other in live if _identity(other) == _identity(obj)]
        found = ", ".join(sorted(other["metadata"]["name"] for other in same))
        return [f"{obj['kind']}: {found}"] if len(same) > 1 else []


def _identity(obj: Object) -> tuple[object, ...]:
    """What only one object of a kind may have: owner and meaning."""
    owners = [o["uid"] for o in obj["metadata"].get("ownerReferences", []) if o.get("controller")]
    meaning = {
        "ControllerRevision": repr(obj.get("data", {}).get("spec")),
        "ReplicaSet": obj["metadata"]["labels"].get(names.LABEL_REVISION),
    }
    return (*owners, meaning.get(obj["kind"]))


@contextmanager
def recorded(kubectl: Kubectl) -> Iterator[History]:
    """A history of revisions, Deployments and ReplicaSets; raises when a watch ended before it was asked to."""
    history = History()
    with ExitStack() as stack:
        alive = [stack.enter_context(watching(kubectl, kind, history.see)) for kind in GROUPS]
        yield history
        assert all(lives() for lives in alive), "a watch of the test itself broke off"
