"""Deployments as a client of our own sees them come and change: what all latencies are measured by.

Only their metadata is asked for, so that looking costs the machine as little as it can.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import aiohttp

from deepseekserve.kube.client import METADATA
from deepseekserve.kube.kinds import DEPLOYMENTS
from tests.bench.report import BenchError
from tests.cluster import pki
from tests.cluster.controlplane import ControlPlane

NOW = "0"                         # everything as it is, then what follows
LONGEST_S = 7200                  # of a watch; the API server chooses half an hour and more if nobody asks


class Sighting(NamedTuple):
    """One version of one Deployment."""

    uid: str
    generation: int               # of its spec


Wanted = Callable[[Sighting], bool]


class Deployments:
    """Those of one namespace, by name, and who waits for what of them."""

    def __init__(self) -> None:
        self._seen: dict[str, Sighting] = {}
        self._expected: dict[str, tuple[Wanted, asyncio.Future[float]]] = {}
        self._failure: BenchError | None = None
        self.as_of = NOW                # resource version up to which this is true

    def __getitem__(self, name: str) -> Sighting:
        """The Deployment as last seen."""
        return self._seen[name]

    def get(self, name: str) -> Sighting | None:
        """The same, or None."""
        return self._seen.get(name)

    def expect(self, name: str, wanted: Wanted) -> "asyncio.Future[float]":
        """The moment (monotonic seconds) at which a version that is `wanted` comes, from now on."""
        if self._failure:
            raise self._failure
        moment = asyncio.get_running_loop().create_future()
        self._expected[name] = wanted, moment
        return moment

    def see(self, event: dict[str, Any], now: float) -> None:
        """Take in one event of the watch."""
        metadata = event["object"]["metadata"]
        name, version = metadata["name"], Sighting(metadata["uid"], metadata["generation"])
        self.as_of = max(self.as_of, metadata["resourceVersion"], key=int)      # the first ones come in no order
        if event["type"] == "DELETED":
            self._seen.pop(name, None)
            return
        self._seen[name] = version
        wanted, moment = self._expected.get(name, (None, None))
        if wanted and moment and not moment.done() and wanted(version):
            moment.set_result(now)
            del self._expected[name]

    def forget(self) -> None:
        """Begin anew: the API server no longer has the events that follow the last one."""
        self._seen.clear()
        self.as_of = NOW

    def fail(self, why: BenchError) -> None:
        """Tell those who wait, now and later, that nothing will come any more."""
        self._failure = why
        for _, moment in self._expected.values():
            if not moment.done():
                moment.set_exception(why)


@contextlib.asynccontextmanager
async def watching(plane: ControlPlane, namespace: str) -> AsyncIterator[Deployments]:
    """The Deployments of a namespace, kept true by a watch as admin."""
    connector = aiohttp.TCPConnector(ssl=pki.admins_trust(plane.folder / "pki"))
    forever = aiohttp.ClientTimeout(total=None)
    found = Deployments()
    async with aiohttp.ClientSession(plane.server, connector=connector, timeout=forever) as session:
        follower = asyncio.create_task(_follow(session, DEPLOYMENTS.path(namespace), found))
        try:
            yield found
        finally:
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)


async def _follow(session: aiohttp.ClientSession, path: str, found: Deployments) -> None:
    """Watch for ever. The API server ends the watch of a client that a busy machine has kept from reading."""
    try:
        while True:
            query = {"watch": "true", "resourceVersion": found.as_of, "timeoutSeconds": str(LONGEST_S)}
            asked = session.get(path, params=query, headers={"Accept": METADATA}, raise_for_status=True)
            with contextlib.suppress(aiohttp.ClientPayloadError):
                async with asked as response:
                    await _read(response, found)
    except Exception as error:
        found.fail(BenchError(f"the watch of the Deployments broke: {error!r}"))
        raise


async def _read(response: aiohttp.ClientResponse, found: Deployments) -> None:
    async for line in response.content:
        now, event = time.monotonic(), json.loads(line)
        if event["type"] == "ERROR":
            found.forget()
            return
        found.see(event, now)
