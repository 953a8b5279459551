"""Turns a Lease into leadership: one process at a time works, the others stand by, and a lost lease ends its process.

`operate` acquires before anything is watched, keeps it beside the flow, and releases it at the end.
"""

import asyncio
import logging
import os
import time
from datetime import UTC, datetime
from typing import NoReturn

from deepseekserve import metrics, names
from deepseekserve.facts.moments import micro_time
from deepseekserve.kube import AlreadyExists, Conflict, Key, Kube, KubeError, NotFound, Object
from deepseekserve.kube.kinds import LEASES
from deepseekserve.logs import fields

RETRY_S = 2.0
AGAIN_S = 0.5             # after a renewal that has failed

log = logging.getLogger(__name__)


class Lease:
    """The Lease of this deployment of the operator. Holders are judged by our own clock, as client-go does.

    `kube` should be its own: of a pool that is shared, one dead connection after the other may cost a renewal.
    """

    def __init__(self, kube: Kube, *, namespace: str, identity: str, seconds: int) -> None:
        self._kube = kube
        self._key = Key(namespace, names.LEASE_NAME)
        self._identity = identity
        self._seconds = seconds
        self._seen: tuple[str, float] = ("", 0.0)       # the version last seen, and when (monotonic seconds)
        self._held: Object = {}
        self._renewed_at = 0.0

    async def acquire(self) -> None:
        """Wait until this process is the holder."""
        log.info("waiting for the lease", extra=fields(lease="/".join(self._key), identity=self._identity))
        while not await self._attempt():
            await asyncio.sleep(RETRY_S)
        metrics.LEADER.set(1)
        log.info("acquired the lease", extra=fields(lease="/".join(self._key), identity=self._identity))

    async def keep(self) -> NoReturn:
        """Renew until cancelled; a lease that is lost, or was not renewed in time, ends the process at once.

        A connection may be dead, and the next one work: two whole attempts fit into the time, from 15 s on.
        """
        pause_s = usual_s = min(RETRY_S, self._seconds / 3)
        while True:
            await asyncio.sleep(pause_s)
            try:
                pause_s = usual_s
                await asyncio.wait_for(self._renew(), timeout=min(self._seconds / 4, self._left_s()))
            except (KubeError, TimeoutError) as error:
                pause_s = min(AGAIN_S, usual_s)
                left_s = round(self._left_s(), 1)
                log.warning("cannot renew the lease", extra=fields(left_s=left_s, error=repr(error)))
            self.check()

    async def release(self) -> None:
        """Let a standby take over at once; `keep` must have ended."""
        metrics.LEADER.set(0)
        try:
            # A renewal that was cut off may be written all the same, before this look or just after it.
            try:
                await self._let_go()
            except Conflict:
                await self._let_go()
        except KubeError as error:
            log.warning("cannot release the lease", extra=fields(error=str(error)))

    def check(self) -> None:
        """End the process when the lease was not renewed in time."""
        if self._left_s() <= 0:
            _end("the lease was not renewed in time")

    def _left_s(self) -> float:
        """Seconds in which a renewal must succeed, so that we stop before another may start."""
        return self._renewed_at + self._seconds * 2 / 3 - time.monotonic()

    async def _let_go(self) -> None:
        lease = await self._kube.get(LEASES, self._key)
        spec = lease.get("spec") or {}
        if spec.get("holderIdentity") != self._identity:
            return
        spec |= {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
        await self._kube.replace(LEASES, {**lease, "spec": spec})

    async def _attempt(self) -> bool:
        try:
            lease = await self._kube.get(LEASES, self._key)
        except NotFound:
            return await self._create()
        except KubeError as error:
            log.warning("cannot read the lease", extra=fields(error=str(error)))
            return False
        return self._is_free(lease) and await self._take(lease)

    def _is_free(self, lease: Object) -> bool:
        version, spec = lease["metadata"]["resourceVersion"], lease.get("spec") or {}
        if version != self._seen[0]:
            self._seen = (version, time.monotonic())
        holder = spec.get("holderIdentity")
        expires_at = self._seen[1] + (spec.get("leaseDurationSeconds") or self._seconds)
        # Our own identity is an earlier process of this very pod, which is gone.
        return not holder or holder == self._identity or time.monotonic() > expires_at

    async def _create(self) -> bool:
        metadata = {"namespace": self._key.namespace, "name": self._key.name}
        lease = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": self._spec({})}
        started = time.monotonic()
        try:
            self._held = await self._kube.create(LEASES, lease)
        except AlreadyExists:
            return False
        except KubeError as error:
            log.warning("cannot create the lease", extra=fields(error=str(error)))
            return False
        self._renewed_at = started
        return True

    async def _take(self, lease: Object) -> bool:
        try:
            await self._put(lease)
        except KubeError as error:
            log.info("another process took the lease", extra=fields(error=str(error)))
            return False
        return True

    async def _renew(self) -> None:
        try:
            await self._put(self._held)
        except Conflict:
            lease = await self._kube.get(LEASES, self._key)
            if (lease.get("spec") or {}).get("holderIdentity") != self._identity:
                _end("another process holds the lease")
            await self._put(lease)
        except NotFound:
            _end("the lease was deleted")

    async def _put(self, lease: Object) -> None:
        started = time.monotonic()
        self._held = await self._kube.replace(LEASES, {**lease, "spec": self._spec(lease.get("spec") or {})})
        self._renewed_at = started

    def _spec(self, previous: Object) -> Object:
        same = previous.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._seconds,
            "acquireTime": previous.get("acquireTime") if same else _now(),
            "renewTime": _now(),
            "leaseTransitions": (previous.get("leaseTransitions") or 0) + (0 if same else 1),
        }


def _now() -> str:
    return micro_time(datetime.now(UTC))


def _end(why: str) -> NoReturn:
    """End the process with nothing flushed and nothing finished: another one may be working already."""
    log.error("leadership lost", extra=fields(why=why))
    logging.shutdown()
    os._exit(1)
