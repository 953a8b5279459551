"""What the client of the API server asks for: no more of an object than is read, and nothing of the user's home."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from deepseekserve.kube import Key, Kube, KubeError, connect
from deepseekserve.kube.client import proxy_of
from deepseekserve.kube.kinds import CONFIG_MAPS, SERVES, SERVICES, Kind
from deepseekserve.observe import Cache, Watch
from tests.ports import HOST, free_port

KEY = Key("default", "tiny")
OBJECT = {"metadata": {"namespace": "default", "name": "tiny"}}
LIST = '{"metadata": {"resourceVersion": "1"}}'


@asynccontextmanager
async def connected(
    folder: Path, patch: pytest.MonkeyPatch, *answers: str,
) -> AsyncIterator[tuple[Kube, list[web.Request]]]:
    """The client as the operator makes it from a kubeconfig, and what the server has been asked.

    The server gives one answer after the other, a code or a text, and an empty list to all that is asked then.
    """
    asked: list[web.Request] = []
    left = iter(answers)

    async def handle(request: web.Request) -> web.Response:
        asked.append(request)
        answer = next(left, LIST)
        return web.Response(status=int(answer), text="{}") if answer.isdigit() else web.Response(text=answer)

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


def page_of(*names: str, more: str = "") -> str:
    items = [{"metadata": {"namespace": "demo", "name": n, "uid": n, "resourceVersion": "1"}} for n in names]
    return json.dumps({"metadata": {"resourceVersion": "9", "continue": more}, "items": items})


def primed(kube: Kube) -> tuple[Watch, Cache]:
    """A cache with a ghost, and what keeps it true."""
    cache = Cache()
    cache.put(SERVES, json.loads(page_of("ghost"))["items"][0])
    return Watch(kube, cache, lambda _: None, resync_s=600), cache


def known(cache: Cache) -> list[str]:
    return sorted(key.name for key in cache.serves())


async def test_all_pages_of_a_list_count_and_what_none_has_is_a_ghost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with connected(tmp_path, monkeypatch, page_of("a", more="next"), page_of("b")) as (kube, _):
        watch, cache = primed(kube)
        await watch.resync()
    assert known(cache) == ["a", "b"]


async def test_a_list_that_breaks_off_forgets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected(tmp_path, monkeypatch, page_of("a", more="next"), "410") as (kube, asked):
        watch, cache = primed(kube)
        with pytest.raises(KubeError):
            await watch.resync()
    assert known(cache) == ["a", "ghost"]
    assert len(asked) == 2


async def test_a_page_is_asked_for_again_after_an_error_that_may_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deepseekserve.kube.client.PAGE_RETRIES_S", (0.0, 0.0))
    answers = (page_of("a", more="next"), "429", "503", page_of("b"))
    async with connected(tmp_path, monkeypatch, *answers) as (kube, asked):
        watch, cache = primed(kube)
        await watch.resync()
    assert known(cache) == ["a", "b"]
    assert [request.query.get("continue") for request in asked[:4]] == [None, "next", "next", "next"]


async def test_the_first_page_is_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected(tmp_path, monkeypatch, "503") as (kube, asked):
        with pytest.raises(KubeError):
            await anext(kube.pages(SERVICES))
    assert len(asked) == 1


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
