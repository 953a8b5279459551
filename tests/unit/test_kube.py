"""The client of the API server against a small HTTP server that answers as API servers and proxies do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from kubernetes_asyncio.client.api_client import ApiClient
from kubernetes_asyncio.client.configuration import Configuration

from deepseekserve.kube import Key, Kube, KubeError, TooManyRequests
from deepseekserve.kube.kinds import SERVICES
from tests.ports import HOST, free_port

KEY = Key("default", "tiny")
SERVICE = {"metadata": {"namespace": "default", "name": "tiny"}}


@asynccontextmanager
async def answering(text: str, **answer: Any) -> AsyncIterator[Kube]:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(text=text, **answer)

    application, port = web.Application(), free_port()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    async with ApiClient(Configuration(host=f"http://{HOST}:{port}")) as client:
        yield Kube(client)
    await runner.cleanup()


async def test_an_api_server_under_load_says_in_a_header_and_not_in_a_status_when_to_come_again() -> None:
    async with answering("Too many requests, please try again.", status=429, headers={"Retry-After": "7"}) as kube:
        with pytest.raises(TooManyRequests) as caught:
            await kube.get(SERVICES, KEY)
    assert caught.value.retry_after_s == 7
    assert "Too many requests" in str(caught.value)


async def test_a_fence_lets_only_reads_pass() -> None:
    def shut() -> None:
        raise KubeError("somebody else may be working")

    async with answering("{}") as kube:
        kube.fence(shut)
        await kube.get(SERVICES, KEY)
        with pytest.raises(KubeError, match="somebody else"):
            await kube.create(SERVICES, SERVICE)
        with pytest.raises(KubeError, match="somebody else"):
            await kube.delete(SERVICES, KEY, "uid")
