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
        told = self._told.get(key, {})
        reported = await asyncio.gather(*(self._with_report(pod, told) for pod in pods))
        final = {(p.uid, p.restarts): p.report for p in reported
                 if p.ready and p.report and p.report.ready and p.report.settled}
        if final:
            self._told[key] = final
        else:
            self.forget(key)
        return tuple(reported)

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._told.pop(key, None)

    async def _with_report(self, pod: PodFacts, told: dict[tuple[str, int], AgentReport]) -> PodFacts:
        if not pod.answers:
            return pod
        known = told.get((pod.uid, pod.restarts)) if pod.ready else None
        return replace(pod, report=known or await self._get(pod.ip))

    async def _get(self, ip: str) -> AgentReport | None:
        host = f"[{ip}]" if ":" in ip else ip
        async with self._slots:
            try:
                report = await self._read(f"http://{host}:{names.AGENT_PORT}/status")
            except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
                report = None
        metrics.AGENT_REQUESTS.labels("answered" if report else "failed").inc()
        return report

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
