"""What the client of the API server asks for: no more of an object than is read, and nothing of the user's home."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from deepseekserve.kube import Key, Kube, connect
from deepseekserve.kube.client import proxy_of
from deepseekserve.kube.kinds import CONFIG_MAPS, SERVICES, Kind
from tests.ports import HOST, free_port

KEY = Key("default", "tiny")
OBJECT = {"metadata": {"namespace": "default", "name": "tiny"}}
LIST = '{"metadata": {"resourceVersion": "1"}}'


@asynccontextmanager
async def connected(
    folder: Path, patch: pytest.MonkeyPatch, *answers: str,
) -> AsyncIterator[tuple[Kube, list[web.Request]]]:
    """The client as the operator makes it from a kubeconfig, and what the server has been asked.

    The server gives one answer after the other, and an empty list to all that is asked then.
    """
    asked: list[web.Request] = []
    left = iter(answers)

    async def handle(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response(text=next(left, LIST))

    application, port = web.Application(), free_port()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": f"http://{HOST}:{port}"}}],
        "users": [{"name": "it", "user": {"token": "secret"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    patch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    patch.setattr("kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(folder / "kubeconfig"))
    async with connect() as kube:
        yield kube, asked
    await runner.cleanup()


@pytest.mark.parametrize(("kind", "expected"), [(CONFIG_MAPS, True), (SERVICES, False)])
async def test_of_a_config_map_only_the_metadata_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, expected: bool,
) -> None:
    async with connected(tmp_path, monkeypatch) as (kube, asked):
        await kube.create(kind, OBJECT)
        await kube.get(kind, KEY)
        assert [page.version async for page in kube.pages(kind)] == ["1"]
    assert ["PartialObjectMetadata" in request.headers["Accept"] for request in asked] == [expected] * 3


async def test_a_list_is_asked_for_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = '{"metadata": {"resourceVersion": "1", "continue": "next"}, "items": [{"metadata": {"name": "a"}}]}'
    async with connected(tmp_path, monkeypatch, more, LIST) as (kube, asked):
        found = [page.objects async for page in kube.pages(SERVICES, selector="app")]
    assert found == [[{"metadata": {"name": "a"}}], []]
    first, second = (dict(request.query) for request in asked)
    assert first == {"limit": "100", "labelSelector": "app"}
    assert second == {**first, "continue": "next"}


async def test_a_netrc_in_the_home_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text(f"machine {HOST} login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with connected(tmp_path, monkeypatch) as (kube, asked):
        await kube.get(SERVICES, KEY)
    assert [request.headers["Authorization"] for request in asked] == ["Bearer secret"]


def test_the_proxy_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "10.96.0.1,.inside")
    assert proxy_of("https://api.example.org:6443") == "http://proxy:3128"
    assert proxy_of("http://api.example.org") is None
    assert proxy_of("https://10.96.0.1:443") is None
    assert proxy_of("https://api.inside") is None
