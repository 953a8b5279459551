"""Turns requests to look at a key into reconciles: one at a time per key, a bounded number at once, errors tried again.

Between the watch (handlers, resync) and `reconcile`. All times are the event loop's, so tests run it in virtual time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from deepseekserve import metrics
from deepseekserve.kube import Key, KubeError
from deepseekserve.logs import fields

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 300.0           # after a bug of ours: it will be there the next time too
REFUSED_MAX_S = 20.0            # after an error of the API server, which may be well again at any moment

Reconcile = Callable[[Key], Awaitable[float | None]]      # seconds until the next look; None: when something happens

log = logging.getLogger(__name__)


class WorkQueue:
    """Keys to be looked at. A key that is added while it waits is one, while it runs is looked at once more."""

    def __init__(self, reconcile: Reconcile, *, workers: int) -> None:
        self._reconcile = reconcile
        self._workers = workers
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, tuple[int, float]] = {}       # how many in a row, and when the last back-off ends

    def add(self, key: Key) -> None:
        """Look at the key as soon as a worker is free, whatever its back-off or timer says."""
        self._cancel_timer(key)
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)
            metrics.QUEUE_DEPTH.set(len(self._waiting))

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._work(), name=f"worker {number}")
        raise AssertionError("workers never end by themselves")

    async def _work(self) -> NoReturn:
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            metrics.QUEUE_DEPTH.set(len(self._waiting))
            self._running.add(key)
            try:
                delay_s = await self._look(key)
            finally:
                self._running.discard(key)
            self._schedule(key, delay_s)

    async def _look(self, key: Key) -> float | None:
        """One reconcile; seconds until the next one, from its result or from the back-off."""
        try:
            with metrics.RECONCILE_SECONDS.time():
                delay_s = await self._reconcile(key)
        except KubeError as error:
            delay_s = max(self._back_off(key, REFUSED_MAX_S), error.retry_after_s or 0)
            log.warning("reconcile failed", extra=fields(key="/".join(key), retry_s=delay_s, error=str(error)))
        except Exception:
            delay_s = self._back_off(key, BACKOFF_MAX_S)
            log.exception("reconcile failed: a bug", extra=fields(key="/".join(key), retry_s=delay_s))
        else:
            self._failures.pop(key, None)
            metrics.RECONCILES.labels("settled" if delay_s is None else "requeued").inc()
        return delay_s

    def _back_off(self, key: Key, most_s: float) -> float:
        """Seconds until the next try: twice as many, unless an event came before the last ones were over."""
        metrics.RECONCILES.labels("error").inc()
        now = asyncio.get_running_loop().time()
        failures, ends = self._failures.get(key, (0, now))
        if now < ends:
            return min(most_s, max(BACKOFF_FIRST_S, ends - now))
        delay_s = min(most_s, BACKOFF_FIRST_S * 2.0 ** min(failures, 30))
        self._failures[key] = (failures + 1, now + delay_s)
        return delay_s

    def _schedule(self, key: Key, delay_s: float | None) -> None:
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        elif delay_s is not None:
            self._timers[key] = asyncio.get_running_loop().call_later(delay_s, self.add, key)

    def _cancel_timer(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer:
            timer.cancel()
