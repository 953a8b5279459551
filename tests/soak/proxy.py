"""An API server that misbehaves on command: a plain HTTP proxy in front of the real one, in a thread of its own.

Credentials pass through. What it does wrong is what `faults` says at that moment.
"""

import asyncio
import json
import random
import ssl
import threading
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from yarl import URL

from deepseekserve.kube import Object
from tests.cluster.controlplane import ControlPlane
from tests.ports import HOST, free_port

CODES = (429, 500, 503, 504)
RETRY_AFTER_S = 2
HOP_BY_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})
GONE: Object = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
                "message": "too old resource version"}
Answer = web.StreamResponse


@dataclass(frozen=True)
class Faults:
    """What goes wrong; shares of the requests, from 0 to 1."""

    refused: float = 0.0       # answered with one of CODES, and not forwarded
    reset: float = 0.0         # forwarded, and cut off in the middle of the answer
    delay_s: float = 0.0       # at most, before anything else
    gone: str = ""             # watches are told that they ask for too old a version: "event" or "answer"


class Proxy:
    """A context manager; `url` is where it listens, `done` counts what it did."""

    def __init__(self, plane: ControlPlane, chance: random.Random) -> None:
        self.faults = Faults()
        self.done: Counter[str] = Counter()
        self.url = f"http://{HOST}:{free_port()}"
        self._plane = plane
        self._chance = chance
        self._watches: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut_watches()
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut_watches(self) -> None:
        """Reset the connections of all open watches."""
        async def cut() -> None:
            for transport in self._watches:
                self.done["watches cut"] += 1
                transport.abort()

        self._run(cut())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _start(self) -> None:
        trust = ssl.create_default_context(cafile=str(self._plane.folder / "pki" / "ca.crt"))
        connector = aiohttp.TCPConnector(ssl=trust, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, URL(self.url).port).start()

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _answer(self, request: web.Request) -> Answer:
        faults, is_watch = self.faults, request.query.get("watch") == "true"
        await asyncio.sleep(self._chance.uniform(0, faults.delay_s))
        if faults.gone and is_watch:
            return self._gone(faults.gone)
        if self._chance.random() < faults.refused:
            return self._refused(self._chance.choice(CODES))
        try:
            return await self._forward(request, is_watch=is_watch)
        except (aiohttp.ClientError, OSError):      # the API server is not there, and so shall it look
            return _abort(request)

    def _gone(self, how: str) -> Answer:
        self.done[f"410 as {how}"] += 1
        if how == "event":
            return web.Response(text=json.dumps({"type": "ERROR", "object": GONE}) + "\n")
        return web.json_response(GONE, status=410)

    def _refused(self, code: int) -> Answer:
        """In the form of the API server's own filters and of load balancers: text, and a header."""
        self.done[f"answers {code}"] += 1
        headers = {"Retry-After": str(RETRY_AFTER_S)} if code == 429 else {}
        return web.Response(status=code, text="Too many requests, please try again later.", headers=headers)

    async def _forward(self, request: web.Request, *, is_watch: bool) -> Answer:
        url = URL(self._plane.server + request.raw_path, encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        body = await request.read() or None
        async with self._session.request(request.method, url, headers=headers, data=body) as upstream:
            made = Answer(status=upstream.status, headers={"Content-Type": upstream.headers["Content-Type"]})
            if is_watch:
                return await self._stream(request, upstream, made)
            whole = await upstream.read()
            made.content_length = len(whole)
            await made.prepare(request)
            if self._chance.random() < self.faults.reset:
                self.done[f"{request.method} cut off after its answer had begun"] += 1
                await made.write(whole[:len(whole) // 2])
                return _abort(request)
            await made.write(whole)
            await made.write_eof()
            return made

    async def _stream(self, request: web.Request, upstream: aiohttp.ClientResponse, made: Answer) -> Answer:
        await made.prepare(request)
        transport = request.transport
        assert transport
        self._watches.add(transport)
        try:
            async for chunk in upstream.content.iter_any():
                await made.write(chunk)
        except (aiohttp.ClientError, OSError):
            return _abort(request)
        finally:
            self._watches.discard(transport)
        await made.write_eof()
        return made


def _abort(request: web.Request) -> Answer:
    """Reset the connection; the answer is one that nobody gets."""
    if request.transport:
        request.transport.abort()
    return web.Response()
