"""Turns watch events and lists into entries of the cache, and into keys to be looked at.

I/O; above the work queue. kopf's watch never announces what was deleted in a gap, so everything is listed again after
one, and from time to time; the first list comes before the first reconcile, which must not act on half of the facts.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from deepseekserve import names
from deepseekserve.kube import Forbidden, Key, Kind, Kube, KubeError, key_of
from deepseekserve.kube.kinds import SERVES, UNWATCHED_CHILDREN, WATCHED_CHILDREN, version_number
from deepseekserve.logs import fields
from deepseekserve.observe.cache import Cache

RETRY_S = 1.0
# Between our first list and the beginning of kopf's watch a deletion goes unseen.
FIRST_RESYNC_S = 15.0
# After a gap the watches of all kinds begin anew one after the other; one that finds nothing does not say so.
GAP_S = 5.0
# So many, one after the other: an API server that has just started knows no roles yet, and forbids everything.
REFUSALS, REFUSED_S = 8, 2.0

log = logging.getLogger(__name__)


class Watch:
    """Keeps the cache true, and calls `add` with the key of whatever may have changed."""

    def __init__(self, kube: Kube, cache: Cache, add: Callable[[Key], None], *, resync_s: float) -> None:
        self._kube = kube
        self._cache = cache
        self._add = add
        self._resync_s = resync_s
        self._begun_anew = asyncio.Event()

    def see(self, kind: Kind, event: Mapping[str, Any]) -> None:
        """Take in one event of the watch; one without a type is of the list with which kopf begins, or begins anew."""
        if event["type"] is None:
            self._begun_anew.set()
        take = self._cache.drop if event["type"] == "DELETED" else self._cache.put
        key = take(kind, event["object"])
        if key:
            self._add(key)

    async def resync(self) -> None:
        """List every kind once, and look at every resource."""
        await self._list(SERVES)
        for kind in (*WATCHED_CHILDREN, *UNWATCHED_CHILDREN):
            await self._list(kind, selector=names.CHILD_SELECTOR)
        for key in self._cache.serves():
            self._add(key)

    async def _list(self, kind: Kind, selector: str = "") -> None:
        listed, versions = set(), []
        async for page in self._kube.pages(kind, selector=selector):
            for obj in page.objects:
                self._cache.put(kind, obj)
                listed.add(key_of(obj))
            versions.append(version_number(page.version))
            del page
        self._cache.sweep(kind, listed, as_of=min(versions))

    async def prime(self) -> None:
        """Resync until it has worked once."""
        while await self._try_resync():
            await asyncio.sleep(RETRY_S)

    async def keep(self) -> None:
        """Resync from time to time, until cancelled or no longer allowed: the next start sees what may be watched."""
        wait_s, refusals = min(FIRST_RESYNC_S, self._resync_s), 0
        while refusals < REFUSALS:
            await self._pause(wait_s)
            match await self._try_resync():
                case None:
                    wait_s, refusals = self._resync_s, 0
                case Forbidden():
                    wait_s, refusals = REFUSED_S, refusals + 1
                case _:
                    wait_s, refusals = RETRY_S, 0
        log.error("not allowed to list any more: starting again")

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until a moment after the watch has begun anew."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._begun_anew.wait()
                await asyncio.sleep(GAP_S)
        self._begun_anew.clear()

    async def _try_resync(self) -> KubeError | None:
        """Resync once; what stood in the way."""
        try:
            await self.resync()
        except KubeError as error:
            log.warning("resync failed", extra=fields(error=str(error)))
            return error
        return None
