"""Turns a question to the hub into an answer within seconds, whatever its name server does.

The client blocks, and no time limit of it reaches a name server that does not answer: so the question has a thread of
its own, for which neither the asker nor the end of the process waits.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from deepseekserve.hub import repository
from deepseekserve.hub.answers import shown
from deepseekserve.reader.summary import Outcome, Summary

SECONDS = 4.0                          # of all requests for an answer
_GRACE_S = 0.5                         # for what no time limit reaches


def read(
    endpoint: str, name: str, revision: str | None = None, token: str | None = None, *, seconds: float = SECONDS,
) -> Summary:
    """Summarise a repository; whatever is wrong is an outcome, and so is that there is no answer."""
    done: Future[Summary] = Future()
    threading.Thread(target=_run, name="hub", daemon=True, args=(
        lambda: repository.read(endpoint, token, name, revision, seconds=seconds), done)).start()
    try:
        return done.result(timeout=seconds + _GRACE_S)
    except TimeoutError:
        return Summary(Outcome.UNREACHABLE, f"{shown(endpoint)} does not answer: it takes too long")


def _run(work: Callable[[], Summary], done: "Future[Summary]") -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # noqa: BLE001  raised where it is awaited
        done.set_exception(error)
