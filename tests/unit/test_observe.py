"""Which pods a resource is judged by, and which agents are asked."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deepseekserve import names
from deepseekserve.kube import Key
from deepseekserve.kube.kinds import PODS, SERVES
from deepseekserve.observe import Agents, Cache, observe
from deepseekserve.observe.agents import session
from tests.unit.seen import HASH, NOW, pod, raw_pod, raw_report

TINY = Key("demo", "tiny")


def names_seen(*, made: str) -> list[str]:
    """Names of the pods that count when the resource was made at this time, and a pod at 12:00:00."""
    cache, pod = Cache(), raw_pod("pulling")
    pod["metadata"] |= {"namespace": "demo", "resourceVersion": "2"}
    cache.put(PODS, pod)
    metadata = {"namespace": "demo", "name": "tiny", "uid": "1", "resourceVersion": "1", "creationTimestamp": made}
    cache.put(SERVES, {"metadata": metadata})

    async def look() -> list[str]:
        async with session() as http:
            return [pod.name for pod in (await observe(cache, Agents(http), TINY, HASH, NOW)).pods]

    return asyncio.run(look())


def test_pods_of_a_predecessor_are_not_seen() -> None:
    assert names_seen(made="2026-11-24T12:00:03Z") == []


def test_a_pod_that_another_api_server_with_a_slower_clock_made_is_seen() -> None:
    assert names_seen(made="2026-11-24T12:00:01Z") == ["tiny-abc"]
    assert names_seen(made="2026-11-24T11:59:59Z") == ["tiny-abc"]


async def heard(reports: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a ready pod's agent has told of `degraded` at three looks, when these are its reports, the last for ever."""
    left = list(reports)

    async def status(_: web.Request) -> web.Response:
        return web.json_response(left.pop(0) if len(left) > 1 else left[0])

    app = web.Application()
    app.router.add_get("/status", status)
    async with TestServer(app) as server, session() as http:
        monkeypatch.setattr(names, "AGENT_PORT", server.port)
        agents, ready = Agents(http), pod("ready", ip="127.0.0.1")
        seen = [(await agents.ask(TINY, iter([ready])))[0].report for _ in range(3)]
        return [report.degraded if report else "no report" for report in seen]


def test_a_serving_agent_is_asked_until_its_report_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    early = raw_report("serving") | {"settled": False, "degraded": None}
    known = early | {"settled": True, "degraded": "no chat"}
    later = known | {"degraded": "never asked for"}
    assert asyncio.run(heard([early, known, later], monkeypatch)) == ["", "no chat", "no chat"]


def test_an_agent_of_an_older_release_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    older = raw_report("serving") | {"degraded": "told"}
    older.pop("settled", None)
    assert asyncio.run(heard([older, older | {"degraded": "later"}], monkeypatch)) == ["told"] * 3


def test_an_agent_whose_report_is_none_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = [{"schema": 0}, raw_report("serving") | {"degraded": "told"}]
    assert asyncio.run(heard(reports, monkeypatch)) == ["no report", "told", "told"]
