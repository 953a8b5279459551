"""The bare loop that the operator is measured against: `python -m tests.bench.loop`, one resource per line of stdin.

It makes what the operator makes for a new resource, with the same client, by as many workers. But it is told of each
resource through a pipe, reads nothing, compares nothing and remembers nothing: its time is that of the API server and
of the client. The requests are not listed here, they are those that a reconcile of a new resource makes.
"""

import asyncio
import json
import sys

from deepseekserve.kube import Key, Kind, Kube, Object, connect
from deepseekserve.kube.kinds import BY_KIND, EVENTS, SERVES
from deepseekserve.observe import Agents, Cache
from deepseekserve.observe.agents import session
from deepseekserve.operate import reconciler
from deepseekserve.settings import Settings
from tests.integration.operating import resource

READY = "ready"
NAMESPACE, NAME, UID = "bench-namespace", "bench-prototype", "00000000-0000-0000-0000-00000000cafe"
KINDS = {**BY_KIND, EVENTS.kind: EVENTS}


class Recorder(Kube):
    """Takes writes down, and answers them as the API server would."""

    def __init__(self) -> None:
        self.writes: list[Object] = []                # children and Events; a status has no kind

    async def create(self, kind: Kind, obj: Object) -> Object:  # noqa: ARG002
        """Take a POST down."""
        self.writes.append(obj)
        version = {"uid": f"uid-{len(self.writes)}", "resourceVersion": str(len(self.writes))}
        return {**obj, "metadata": {**obj["metadata"], **version}}

    async def patch_status(self, kind: Kind, key: Key, uid: str, status: Object) -> Object:  # noqa: ARG002
        """Take a status down."""
        self.writes.append({"status": status})
        return {"metadata": {**key._asdict(), "uid": uid, "resourceVersion": "9"}, "status": status}


async def prototype() -> list[str]:
    """The bodies of all that the operator writes for a new resource, in its order, as JSON."""
    new = resource(NAME)
    stored = {"namespace": NAMESPACE, "uid": UID, "generation": 1, "resourceVersion": "1",
              "creationTimestamp": "2026-01-01T00:00:00Z"}
    kube, cache = Recorder(), Cache()
    cache.put(SERVES, {**new, "metadata": {**new["metadata"], **stored}})
    async with session() as agents:
        await reconciler(kube, cache, Agents(agents), Settings()).reconcile(Key(NAMESPACE, NAME))
    return [json.dumps(body) for body in kube.writes]


async def make(kube: Kube, bodies: list[str], key: Key, uid: str) -> None:
    """Write everything for one resource, one after the other."""
    for body in bodies:
        text = body.replace(NAME, key.name).replace(NAMESPACE, key.namespace).replace(UID, uid)
        obj: Object = json.loads(text)
        if "kind" in obj:
            await kube.create(KINDS[obj["kind"]], obj)
        else:
            await kube.patch_status(SERVES, key, uid, obj["status"])


async def main() -> None:
    """Work until stdin ends and everything is written."""
    bodies, told = await prototype(), asyncio.Queue[str]()
    loop = asyncio.get_running_loop()
    async with connect() as kube, asyncio.TaskGroup() as group:

        async def work() -> None:
            while line := await told.get():
                namespace, name, uid = json.loads(line)
                await make(kube, bodies, Key(namespace, name), uid)
            told.put_nowait("")                       # for the next worker

        for _ in range(Settings().workers):
            group.create_task(work())
        print(READY, flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            told.put_nowait(line)
        told.put_nowait("")


if __name__ == "__main__":
    asyncio.run(main())
