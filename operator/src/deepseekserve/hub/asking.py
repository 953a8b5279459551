"""Turns a question to the hub into an answer within seconds, for asyncio: the client blocks, so each has a thread.

Threads of our own and no pool: one that waits for a name server cannot be stopped, and nobody shall wait for it,
neither who asks nor the end of the process.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

from deepseekserve.hub import repository
from deepseekserve.hub.answers import shown
from deepseekserve.reader.summary import Outcome, Summary

SECONDS = 4.0                          # of all requests for an answer
_GRACE_S = 0.5                         # for what no time limit reaches: the name server
MOST_THREADS = 4


class Hub:
    """One hub; of its questions at most four are open at once."""

    def __init__(self, endpoint: str, *, seconds: float = SECONDS, threads: int = MOST_THREADS) -> None:
        self.endpoint = endpoint
        self._seconds = seconds
        self._free = asyncio.Semaphore(threads)

    async def read(self, name: str, revision: str | None = None, token: str | None = None) -> Summary:
        """Summarise a repository; whatever is wrong is an outcome, and so is that there is no answer."""
        why = f"earlier questions to {shown(self.endpoint)} still have no answer"
        try:
            async with asyncio.timeout(self._seconds + _GRACE_S):
                await self._free.acquire()
                why = f"{shown(self.endpoint)} does not answer: it takes too long"
                return await asyncio.shield(self._started(lambda: repository.read(
                    self.endpoint, token, name, revision, seconds=self._seconds)))
        except TimeoutError:
            return Summary(Outcome.UNREACHABLE, why)

    def _started(self, work: Callable[[], Summary]) -> "asyncio.Future[Summary]":
        """Begin work in a thread, which gives its place free when it ends, however long that takes."""
        done: Future[Summary] = Future()
        threading.Thread(target=_run, args=(work, done), name="hub", daemon=True).start()
        answer = asyncio.wrap_future(done)
        answer.add_done_callback(lambda _: self._free.release())
        return answer


def _run(work: Callable[[], Summary], done: "Future[Summary]") -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # noqa: BLE001  raised where it is awaited
        done.set_exception(error)
