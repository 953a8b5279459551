"""The queue's promises, in virtual time: one at a time per key, a bounded number at once, back-off, no look lost."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise

import pytest

from deepseekserve.kube import Key, KubeError
from deepseekserve.workqueue import BACKOFF_MAX_S, REFUSED_MAX_S, WorkQueue
from tests.unit.virtual import run

A, B = Key("demo", "a"), Key("demo", "b")


class Bug(Exception):
    """Something that nobody has thought of."""


class Reconciles:
    """What the queue has asked for: when, and how many at once."""

    def __init__(self, result: Callable[[int], Awaitable[float | None]]) -> None:
        self.result = result
        self.looks: list[tuple[Key, float]] = []
        self.now_running: list[Key] = []
        self.most_at_once = 0

    async def __call__(self, key: Key) -> float | None:
        assert key not in self.now_running
        self.now_running.append(key)
        self.most_at_once = max(self.most_at_once, len(self.now_running))
        self.looks.append((key, asyncio.get_running_loop().time()))
        try:
            return await self.result(len(self.looks))
        finally:
            self.now_running.remove(key)

    def times(self, key: Key = A) -> list[float]:
        return [round(at, 3) for k, at in self.looks if k == key]


async def settles(_: int) -> float | None:
    await asyncio.sleep(0.5)
    return None


def work(
    reconciles: Reconciles, script: Callable[[WorkQueue], Awaitable[None]], *, workers: int = 2, seconds: float = 3600,
) -> Reconciles:
    """Let the queue run while `script` adds keys, for so many virtual seconds."""
    async def main() -> None:
        queue = WorkQueue(reconciles, workers=workers)
        running = asyncio.create_task(queue.run())
        await script(queue)
        await asyncio.sleep(seconds)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    run(main())
    return reconciles


def adding(*keys: Key) -> Callable[[WorkQueue], Awaitable[None]]:
    async def script(queue: WorkQueue) -> None:
        for key in keys:
            queue.add(key)

    return script


def test_a_key_added_many_times_before_its_turn_is_looked_at_once() -> None:
    assert work(Reconciles(settles), adding(A, A, A)).times() == [0]


def test_a_key_added_during_its_reconcile_is_looked_at_once_more_afterwards() -> None:
    async def script(queue: WorkQueue) -> None:
        queue.add(A)
        await asyncio.sleep(0.2)
        queue.add(A)
        queue.add(A)

    assert work(Reconciles(settles), script).times() == [0, 0.5]


def test_no_more_are_worked_on_at_once_than_there_are_workers() -> None:
    keys = [Key("demo", str(n)) for n in range(9)]
    reconciles = work(Reconciles(settles), adding(*keys), workers=3)
    assert reconciles.most_at_once == 3
    assert len(reconciles.looks) == 9


def test_a_result_in_seconds_is_the_time_to_the_next_look() -> None:
    async def twice(n: int) -> float | None:
        return 7.0 if n == 1 else None

    assert work(Reconciles(twice), adding(A)).times() == [0, 7]


def test_a_result_of_nought_asks_for_another_look_at_once() -> None:
    async def twice(n: int) -> float | None:
        return 0 if n == 1 else None

    assert work(Reconciles(twice), adding(A)).times() == [0, 0]


def test_an_event_does_not_wait_for_the_timer_and_replaces_it() -> None:
    async def once_later(n: int) -> float | None:
        return 100.0 if n == 1 else None

    async def script(queue: WorkQueue) -> None:
        queue.add(A)
        await asyncio.sleep(3)
        queue.add(A)

    assert work(Reconciles(once_later), script).times() == [0, 3]


@pytest.mark.parametrize(("error", "most_s"), [(KubeError("no"), REFUSED_MAX_S), (Bug("oh"), BACKOFF_MAX_S)])
def test_errors_are_tried_again_ever_more_slowly_up_to_a_bound(error: Exception, most_s: float) -> None:
    async def fails(_: int) -> float | None:
        raise error

    times = work(Reconciles(fails), adding(A)).times()
    assert times[:5] == [0, 1, 3, 7, 15]
    assert {b - a for a, b in pairwise(times[10:])} == {most_s}


def test_events_during_an_outage_do_not_make_the_back_off_longer() -> None:
    async def fails_six_times(n: int) -> float | None:
        if n > 6:
            return None
        raise KubeError("no")

    async def script(queue: WorkQueue) -> None:
        for _ in range(6):
            queue.add(A)
            await asyncio.sleep(0.1)

    assert work(Reconciles(fails_six_times), script).times() == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.5]


def test_a_success_ends_the_back_off() -> None:
    async def fails_but_the_third_time(n: int) -> float | None:
        if n == 3:
            return 5.0
        if n > 5:
            return None
        raise KubeError("no")

    assert work(Reconciles(fails_but_the_third_time), adding(A)).times() == [0, 1, 3, 8, 9, 11]


def test_an_event_does_not_wait_for_the_back_off() -> None:
    async def fails_four_times(n: int) -> float | None:
        if n > 4:
            return None
        raise KubeError("no")

    async def script(queue: WorkQueue) -> None:
        queue.add(A)
        await asyncio.sleep(8)
        queue.add(A)

    assert work(Reconciles(fails_four_times), script).times() == [0, 1, 3, 7, 8]


def test_a_server_that_names_a_time_is_left_alone_for_so_long() -> None:
    error = KubeError("later")
    error.retry_after_s = 20

    async def fails_once(n: int) -> float | None:
        if n == 1:
            raise error
        return None

    assert work(Reconciles(fails_once), adding(A)).times() == [0, 20]


def test_a_key_that_fails_does_not_hold_up_another() -> None:
    async def fails(_: int) -> float | None:
        raise KubeError("no")

    reconciles = work(Reconciles(fails), adding(A, B), workers=1, seconds=10)
    assert reconciles.times(A) == reconciles.times(B) == [0, 1, 3, 7]
