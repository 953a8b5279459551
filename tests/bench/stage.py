"""What every measurement is made of: many resources acted on at once, rest in between, and an empty namespace after."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from deepseekserve import names
from deepseekserve.kube import Key, Kind, Kube, Object
from deepseekserve.kube.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    DISRUPTION_BUDGETS,
    EVENTS,
    PODS,
    REVISIONS,
    SERVES,
    SERVICE_ACCOUNTS,
    SERVICES,
)
from tests.bench.report import BenchError
from tests.bench.summary import Burst
from tests.bench.watching import Deployments, Sighting, Wanted, watching
from tests.integration.operating import connected
from tests.soak.ground import NAMESPACE, Ground, placed
from tests.soak.history import REPLICA_SETS

AT_ONCE = 10                      # users who wait for their answers
QUIET_BYTES_PER_S = 20_000        # of the audit log: some twenty requests per second of everybody
QUIET_WITHIN_S = 300
SEEN_WITHIN_S = 600
PAGE = 200

_ENDPOINT_SLICES = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
# The resources first, lest the operator, if it runs, makes their children again; then owners before what they own.
_ALL = (SERVES, DEPLOYMENTS, REPLICA_SETS, PODS, SERVICES, _ENDPOINT_SLICES, SERVICE_ACCOUNTS, CONFIG_MAPS, REVISIONS,
        DISRUPTION_BUDGETS)


@dataclass(frozen=True)
class Stage:
    """A control plane with our own eyes and hands on it."""

    ground: Ground
    kube: Kube                    # as admin
    deployments: Deployments

    async def create(self, serves: Sequence[str], tell: Callable[[Object], None]) -> Burst:
        """Make resources, and `tell` of each."""
        async def act(name: str) -> None:
            tell(await self.kube.create(SERVES, placed(name)))

        return await self._burst(serves, act, lambda _: lambda _: True)

    async def edit(self, serves: Sequence[str], sequences: int) -> Burst:
        """Change a field that makes the pods."""
        change = {"op": "add", "path": "/spec/engine/maxNumSeqs", "value": sequences}

        async def act(name: str) -> None:
            await self.kube.patch(SERVES, Key(NAMESPACE, name), [change])

        return await self._burst(serves, act, _later)

    async def delete_children(self, serves: Sequence[str]) -> Burst:
        """Delete Deployments by hand."""
        async def act(name: str) -> None:
            await self.kube.delete(DEPLOYMENTS, Key(NAMESPACE, name), self.deployments[name].uid)

        return await self._burst(serves, act, _another)

    async def quiet(self, for_s: float = 1.0) -> None:
        """Wait until hardly anybody asks the API server for anything."""
        log, deadline = self.ground.folder / "audit.log", time.monotonic() + QUIET_WITHIN_S
        size = log.stat().st_size
        while True:
            await asyncio.sleep(for_s)
            before, size = size, log.stat().st_size
            if size - before < QUIET_BYTES_PER_S * for_s:
                return
            if time.monotonic() > deadline:
                raise BenchError(f"the control plane has not come to rest within {QUIET_WITHIN_S} s")

    async def clear(self) -> None:
        """Delete everything that any side has made, and wait until the controllers have taken notice."""
        for kind in _ALL:
            selector = "" if kind is SERVES else names.CHILD_SELECTOR
            await asyncio.to_thread(self._delete_all, kind, selector)
        await asyncio.to_thread(self._delete_all, EVENTS, "")
        await self.quiet(2.0)

    def _delete_all(self, kind: Kind, selector: str) -> None:
        chosen = f"labelSelector={selector}" if selector else ""
        deadline = time.monotonic() + QUIET_WITHIN_S
        while True:
            self.ground.client.send("DELETE", f"{kind.path(NAMESPACE)}?limit={PAGE}&{chosen}")
            left: Object = self.ground.client.send("GET", f"{kind.path(NAMESPACE)}?limit=1&{chosen}")
            if not left["items"]:
                return
            if time.monotonic() > deadline:
                raise BenchError(f"{kind.plural} cannot be deleted")

    async def _burst(
        self, serves: Sequence[str], act: Callable[[str], Awaitable[None]], wanted: Callable[[Sighting | None], Wanted],
    ) -> Burst:
        """Act on each, some at a time, and wait for what is wanted of each one's Deployment."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> tuple[float, float]:
            async with slots:
                seen = self.deployments.expect(name, wanted(self.deployments.get(name)))
                began = time.monotonic()
                await act(name)
            return began, await seen

        wall = time.time()
        try:
            async with asyncio.timeout(SEEN_WITHIN_S):
                moments = await asyncio.gather(*map(one, serves))
        except TimeoutError:
            raise BenchError(f"not all Deployments were seen within {SEEN_WITHIN_S} s") from None
        total_s = max(seen for _, seen in moments) - min(began for began, _ in moments)
        await self.quiet()
        return Burst(tuple(seen - began for began, seen in moments), total_s, wall, time.time())


@asynccontextmanager
async def stage(ground: Ground) -> AsyncIterator[Stage]:
    """Our own client and watch on a control plane."""
    async with connected(ground.kubectl.kubeconfig) as kube, watching(ground.plane, NAMESPACE) as deployments:
        yield Stage(ground, kube, deployments)


def _later(before: Sighting | None) -> Wanted:
    assert before
    return lambda now: now.generation > before.generation


def _another(before: Sighting | None) -> Wanted:
    assert before
    return lambda now: now.uid != before.uid
