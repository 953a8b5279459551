"""Turns pods into pods with their agents' reports: GET /status, briefly, and of a bounded number at once.

I/O; part of observe. Starting pods are asked every time, serving ones until their report is settled.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace

import aiohttp

from deepseekserve import metrics, names
from deepseekserve.facts import AgentReport, PodFacts, parse_report
from deepseekserve.kube import Key

TIMEOUT_S = 1.0
AT_ONCE = 100
MOST_BYTES = 65536


class Agents:
    """All agents in engine pods, and what those that serve have told."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._told: dict[Key, dict[tuple[str, int], AgentReport]] = {}      # by pod uid and restart count

    async def ask(self, key: Key, pods: Iterable[PodFacts]) -> tuple[PodFacts, ...]:
        """The pods of a resource, each with its agent's report where there is one."""
        known, asked = self._told.get(key, {}), tuple(pods)
        told = await asyncio.gather(*(self._ask(pod, known) for pod in asked))
        final = {(p.uid, p.restarts): t for p, t in zip(asked, told, strict=True)
                 if p.ready and t and t.ready and t.settled}
        if final:
            self._told[key] = final
        else:
            self.forget(key)
        return tuple(replace(p, report=t) if t else p for p, t in zip(asked, told, strict=True))

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._told.pop(key, None)

    async def _ask(self, pod: PodFacts, known: dict[tuple[str, int], AgentReport]) -> AgentReport | None:
        if not pod.answers:
            return None
        told = known.get((pod.uid, pod.restarts)) if pod.ready else None
        return told or await self._get(pod.ip)

    async def _get(self, ip: str) -> AgentReport | None:
        host = f"[{ip}]" if ":" in ip else ip
        async with self._slots:
            try:
                told = await self._read(f"http://{host}:{names.AGENT_PORT}/status")
            except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
                told = None
        metrics.AGENT_REQUESTS.labels("answered" if told else "failed").inc()
        return told

    async def _read(self, url: str) -> AgentReport | None:
        async with self._session.get(url, allow_redirects=False) as response:
            body = await response.content.read(MOST_BYTES)
            while chunk := await response.content.read(MOST_BYTES - len(body)):
                body += chunk
            return parse_report(json.loads(body))


def session() -> aiohttp.ClientSession:
    """A session for Agents; one per process."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    return aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=AT_ONCE))
