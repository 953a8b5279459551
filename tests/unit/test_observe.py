"""Which pods a resource is judged by, which agents are asked, and of which pods Events are read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes_asyncio.client.api_client import ApiClient
from kubernetes_asyncio.client.configuration import Configuration

from deepseekserve import names
from deepseekserve.facts import Mounting
from deepseekserve.kube import Key, Kube
from deepseekserve.kube.kinds import PODS, SERVES
from deepseekserve.observe import Agents, Cache, Observer, PodEvents
from deepseekserve.observe.agents import session
from tests.unit.seen import HASH, NOW, events, pod, raw_pod, raw_report

TINY = Key("demo", "tiny")


@asynccontextmanager
async def events_of(*situations: str) -> AsyncIterator[tuple[PodEvents, list[str]]]:
    """What is read from an API server that has these Events, one after the other, and the field selectors it has had.

    A situation may also be an HTTP code.
    """
    asked: list[str] = []
    left = list(situations)

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.query["fieldSelector"])
        situation = left.pop(0)
        if situation.isdigit():
            return web.json_response({"reason": "Forbidden"}, status=int(situation))
        return web.json_response({"items": events(situation)})

    app = web.Application()
    app.router.add_get("/apis/events.k8s.io/v1/namespaces/demo/events", answer)
    async with TestServer(app) as server, ApiClient(Configuration(host=str(server.make_url("")).rstrip("/"))) as client:
        yield PodEvents(Kube(client)), asked


def names_seen(*, made: str) -> list[str]:
    """Names of the pods that count when the resource was made at this time, and a pod at 12:00:00."""
    cache, pod = Cache(), raw_pod("pulling")
    pod["metadata"] |= {"namespace": "demo", "resourceVersion": "2"}
    cache.put(PODS, pod)
    metadata = {"namespace": "demo", "name": "tiny", "uid": "1", "resourceVersion": "1", "creationTimestamp": made}
    cache.put(SERVES, {"metadata": metadata})

    async def look() -> list[str]:
        async with session() as http, events_of("mended") as (told, _):
            return [pod.name for pod in (await Observer(cache, Agents(http), told).look(TINY, HASH, NOW)).pods]

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


# Events

SECRET = 'MountVolume.SetUp failed for volume "certs" : secret "certs" not found'


async def at(told: PodEvents, age_s: float, *pods: str) -> list[str | None]:
    """What is known of the volumes of pods in these situations, so long after they were made."""
    now = NOW + timedelta(seconds=age_s)
    made = [replace(pod(situation), uid=situation, created=NOW.isoformat()) for situation in pods]
    seen = await told.ask(TINY, made, revision=HASH, now=now)
    return [p.mounting.trouble.message if p.mounting and p.mounting.trouble else None for p in seen]


async def test_events_are_read_of_a_pod_that_hangs_and_of_no_other() -> None:
    async with events_of("secret-missing") as (told, asked):
        assert await at(told, 10, "hanging", "running", "ready") == [SECRET, None, None]
    assert asked == ["regarding.uid=hanging"]


async def test_a_young_pod_is_not_asked_about_and_an_old_one_less_and_less_often() -> None:
    async with events_of("in-use", "secret-missing", "secret-missing") as (told, asked):
        counts = []
        for age_s in (1, 4, 6, 7, 9, 10, 12, 14):
            await at(told, age_s, "hanging")
            counts.append(len(asked))
    assert counts == [0, 0, 1, 1, 2, 2, 2, 3]


async def test_what_is_known_stays_known_between_two_questions() -> None:
    async with events_of("secret-missing") as (told, _):
        assert [await at(told, age_s, "hanging") for age_s in (6, 7, 8)] == [[SECRET]] * 3


async def test_a_pod_whose_volumes_are_mounted_is_never_asked_about_again() -> None:
    async with events_of("mended") as (told, asked):
        for age_s in (6, 60, 600):
            await at(told, age_s, "hanging")
        (seen,) = await told.ask(TINY, [pod("hanging", uid="hanging")], revision=HASH, now=NOW)
    assert seen.mounting == Mounting(done=True, trouble=None)
    assert len(asked) == 1


async def test_an_answer_that_does_not_come_changes_nothing_that_is_known() -> None:
    async with events_of("secret-missing", "500") as (told, asked):
        assert await at(told, 6, "hanging") == [SECRET]
        assert await at(told, 30, "hanging") == [SECRET]
    assert len(asked) == 2


async def test_what_is_known_outlives_the_events() -> None:
    async with events_of("secret-missing", "none") as (told, _):
        assert [await at(told, age_s, "hanging") for age_s in (6, 4000)] == [[SECRET], [SECRET]]


async def test_of_many_pods_that_hang_the_oldest_few_of_the_current_revision_are_asked_about() -> None:
    many = [pod("hanging", uid=str(number)) for number in range(9)]
    async with events_of(*["secret-missing"] * 3) as (told, asked):
        await told.ask(TINY, [pod("hanging", uid="old", revision="older"), *many], revision=HASH, now=NOW)
    assert asked == ["regarding.uid=0", "regarding.uid=1", "regarding.uid=2"]


async def test_an_api_server_that_does_not_answer_is_asked_once_in_a_look() -> None:
    many = [pod("hanging", uid=str(number)) for number in range(3)]
    async with events_of("500", "secret-missing", "in-use") as (told, asked):
        await told.ask(TINY, many, revision=HASH, now=NOW)
        assert len(asked) == 1
        await told.ask(TINY, many, revision=HASH, now=NOW)
    assert asked == ["regarding.uid=0", "regarding.uid=1", "regarding.uid=2"]


async def test_a_right_that_is_missing_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async with events_of("403", "403", "secret-missing") as (told, _):
        assert [await at(told, age_s, "hanging") for age_s in (6, 30, 90)] == [[None], [None], [SECRET]]
    assert [record.getMessage() for record in caplog.records] == [
        "may not list Events, which tell of volumes: upgrade the chart"]


async def test_a_pod_that_hangs_no_more_is_forgotten() -> None:
    async with events_of("secret-missing", "in-use") as (told, asked):
        await at(told, 6, "hanging")
        await at(told, 7, "running")
        await at(told, 8, "hanging")
    assert len(asked) == 2
