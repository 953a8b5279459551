"""Turns watch events and lists into entries of the cache, and into keys to be looked at.

I/O; above the work queue. kopf's watch never announces what was deleted in a gap, so everything is listed again from
time to time; the first list comes before the first reconcile, which must not act on half of the facts.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from deepseekserve import names
from deepseekserve.kube import Forbidden, Key, Kind, Kube, KubeError
from deepseekserve.kube.kinds import CONFIG_MAPS, SERVES, UNWATCHED_CHILDREN, WATCHED_CHILDREN
from deepseekserve.logs import fields
from deepseekserve.observe.cache import Cache

RETRY_S = 1.0
# Between our first list and the beginning of kopf's watch a deletion goes unseen.
FIRST_RESYNC_S = 15.0

log = logging.getLogger(__name__)


class Watch:
    """Keeps the cache true, and calls `add` with the key of whatever may have changed."""

    def __init__(self, kube: Kube, cache: Cache, add: Callable[[Key], None], *, resync_s: float) -> None:
        self._kube = kube
        self._cache = cache
        self._add = add
        self._resync_s = resync_s

    def see(self, kind: Kind, event: Mapping[str, Any]) -> None:
        """Take in one event of the watch."""
        take = self._cache.drop if event["type"] == "DELETED" else self._cache.put
        key = take(kind, event["object"])
        if key:
            self._add(key)

    async def resync(self) -> None:
        """List every kind once, and look at every resource."""
        self._cache.replace(SERVES, await self._kube.list(SERVES))
        for kind in (*WATCHED_CHILDREN, *UNWATCHED_CHILDREN):
            only_names = kind is CONFIG_MAPS
            listing = await self._kube.list(kind, selector=names.CHILD_SELECTOR, metadata_only=only_names)
            self._cache.replace(kind, listing)
        for key in self._cache.serves():
            self._add(key)

    async def prime(self) -> None:
        """Resync until it has worked once."""
        while not await self._primed():
            await asyncio.sleep(RETRY_S)

    async def _primed(self) -> bool:
        try:
            return await self._try_resync()
        except Forbidden as error:
            log.warning("not allowed to list yet", extra=fields(error=str(error)))
            return False

    async def keep(self) -> None:
        """Resync from time to time, until cancelled or no longer allowed: the next start sees what may be watched."""
        await asyncio.sleep(min(FIRST_RESYNC_S, self._resync_s))
        try:
            while True:
                worked = await self._try_resync()
                await asyncio.sleep(self._resync_s if worked else RETRY_S)
        except Forbidden as error:
            log.error("not allowed to list any more: starting again", extra=fields(error=str(error)))

    async def _try_resync(self) -> bool:
        try:
            await self.resync()
        except Forbidden:
            raise
        except KubeError as error:
            log.warning("resync failed", extra=fields(error=str(error)))
            return False
        return True
