"""Gives huggingface_hub an HTTP session in which no answer is too long and none takes for ever.

Its own session has time limits for each piece of an answer, not for all of it, and none for its size.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from time import monotonic
from typing import cast

import httpx2
from huggingface_hub import constants, set_client_factory

from deepseekserve.reader.summary import Outcome, Unreadable

ANSWER_BYTES = 16 << 20
_until: ContextVar[float] = ContextVar("until")


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """All requests of the block, together, may take so long; afterwards they end as a timeout."""
    _install()
    token = _until.set(monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def seconds_left() -> float:
    """For the next request; never 0, which would be no limit."""
    return max(0.01, _until.get() - monotonic())


@cache
def _install() -> None:
    # The name of what runs the process belongs to nobody, and the client would ask the hub for a list of such names
    # and keep it in the home directory.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    set_client_factory(_session)


def _session() -> httpx2.Client:
    return httpx2.Client(
        event_hooks={"response": [_bound]}, follow_redirects=True, headers={"accept-encoding": "identity"})


def _bound(response: httpx2.Response) -> None:
    """Called before an answer is read; few bytes can unfold into many, so compressed ones are not taken."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Unreadable(Outcome.DAMAGED, f"{response.url.host} answers compressed, unasked")
    response.stream = _Bounded(response)


class _Bounded(httpx2.SyncByteStream):
    def __init__(self, response: httpx2.Response) -> None:
        self._inner = cast(httpx2.SyncByteStream, response.stream)
        self._request = response.request

    def __iter__(self) -> Iterator[bytes]:
        left = ANSWER_BYTES
        for part in self._inner:
            left -= len(part)
            if left < 0:
                raise Unreadable(Outcome.TOO_LARGE, f"{self._request.url.path} has more than {ANSWER_BYTES} bytes")
            if monotonic() > _until.get():
                raise httpx2.ReadTimeout("the answer takes too long", request=self._request)
            yield part

    def close(self) -> None:
        self._inner.close()
