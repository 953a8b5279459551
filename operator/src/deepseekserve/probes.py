"""Turns HTTP requests into answers about the operator itself: /livez, /readyz and /metrics.

Beside the flow; up before everything else, so that a standby answers its probes and an upgrade does not deadlock.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from deepseekserve import metrics


@asynccontextmanager
async def probes(port: int) -> AsyncIterator[None]:
    """Answer on `port` of all addresses while the context is open. An event loop that hangs answers nothing."""
    app = web.Application()
    app.add_routes([web.get("/livez", _ok), web.get("/readyz", _ok), web.get("/metrics", _metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def _ok(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
