"""Turns watch events into looks at a key, and kopf's beginning and end into those of our own tasks.

The top of the flow. Only on.event, on.startup and on.cleanup: they write nothing on anybody's objects; errors in them
are not tried again, so all that can fail happens in the work queue. One statement each.
"""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import chain, repeat
from typing import Any

import kopf

from deepseekserve import names
from deepseekserve.kube.client import PAGE_SIZE, REQUEST_TIMEOUT_S
from deepseekserve.kube.kinds import SERVES, WATCHED_CHILDREN, Kind
from deepseekserve.observe import Watch

IDLE_S = 0.1              # kopf keeps a task for each object that had an event so long ago, and the event
RETRIES_S = (1, 1, 2, 3)
RETRY_MAX_S = 5

Background = Callable[[], Awaitable[object]]

log = logging.getLogger(__name__)

_BY_PLURAL: Mapping[str, Kind] = {kind.plural: kind for kind in (SERVES, *WATCHED_CHILDREN)}


def bind(watch: Watch, broken: asyncio.Event, *background: Background) -> None:
    """Register everything with kopf's default registry; `background` runs from kopf's start to its end.

    Sets `broken`, which ends kopf, should one of them end by itself.
    """
    tasks: list[asyncio.Task[None]] = []

    @kopf.on.startup()
    async def start(**_: object) -> None:
        spare_the_collector()
        tasks.extend(asyncio.create_task(guarded(run, broken)) for run in background)

    @kopf.on.cleanup()
    async def stop(**_: object) -> None:
        await cancel(tasks)

    async def see(event: Mapping[str, Any], resource: kopf.Resource, **_: object) -> None:
        watch.see(_BY_PLURAL[resource.plural], event)

    for kind in _BY_PLURAL.values():
        kopf.on.event(kind.group, kind.version, kind.plural)(see)


def settings() -> kopf.OperatorSettings:
    """What the design measured; queueing.worker_limit stays unset."""
    chosen = kopf.OperatorSettings()
    chosen.persistence.diffbase_storage = NoDiffs()
    chosen.persistence.progress_storage = NoProgress()
    chosen.queueing.idle_timeout = IDLE_S
    chosen.watching.chunk_size = PAGE_SIZE
    chosen.networking.request_timeout = REQUEST_TIMEOUT_S
    chosen.networking.error_backoffs = Endless()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    for kind in WATCHED_CHILDREN:
        chosen.watching.label_selectors[kind.group, kind.version, kind.plural] = names.CHILD_SELECTOR
    return chosen


class Endless:
    """Waits before kopf's retries of a list or a watch: by itself it gives up after a minute, and waits up to 21 s."""

    def __iter__(self) -> Iterator[float]:
        return chain(RETRIES_S, repeat(RETRY_MAX_S))


class NoDiffs(kopf.DiffBaseStorage):
    """What was handled last: kopf copies every body to compare it, and an on.event handler never asks."""

    def build(self, **_: object) -> kopf.BodyEssence:
        """Nothing of a body is compared with anything."""
        return kopf.BodyEssence()

    def fetch(self, **_: object) -> kopf.BodyEssence | None:
        """Nothing is stored."""
        return None

    def store(self, **_: object) -> None:
        """Nothing is written on anybody's objects."""


class NoProgress(kopf.ProgressStorage):
    """How far handlers have come: kopf copies every body to hide it, and an on.event handler has none."""

    def fetch(self, **_: object) -> None:
        """Nothing is stored."""

    def store(self, **_: object) -> None:
        """Nothing is written on anybody's objects."""

    def purge(self, **_: object) -> None:
        """Nothing is stored."""

    def touch(self, **_: object) -> None:
        """Nothing is written on anybody's objects."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Nothing of ours is in it."""
        return essence


def spare_the_collector() -> None:
    """All modules are loaded now: what they hold stays, and need not be looked through at every collection."""
    gc.collect()
    gc.freeze()


async def guarded(run: Background, broken: asyncio.Event) -> None:
    """Run what never ends; when it does, that is a bug, and no operator shall live on without it."""
    try:
        await run()
    except Exception:
        log.exception("a background task ended")
    broken.set()


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel, and wait for the end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
