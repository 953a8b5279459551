"""Which pods a resource is judged by."""

import asyncio

from deepseekserve.kube import Key
from deepseekserve.kube.kinds import PODS, SERVES
from deepseekserve.observe import Agents, Cache, observe
from deepseekserve.observe.agents import session
from tests.unit.seen import HASH, NOW, raw_pod

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
