"""Turns what the agent knows into its pages: /live, /ready, /startup, /status and /metrics.

Called by `server` on its own thread; reads attributes that others replace as a whole, and never waits for anything.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from deepseekserve.agent import exposition
from deepseekserve.agent.canary import Canary
from deepseekserve.agent.clock import Clock
from deepseekserve.agent.exposition import Family, counter, gauge
from deepseekserve.agent.pipes import Copy, Pump
from deepseekserve.agent.prober import Prober
from deepseekserve.agent.reading import Reading
from deepseekserve.agent.reasons import ENGINE_PHASES, Phase
from deepseekserve.agent.server import Page
from deepseekserve.agent.supervisor import Supervisor
from deepseekserve.agent.verdicts import Watchdog


@dataclass(frozen=True)
class Pages:
    """The parts that the pages show."""

    reading: Reading
    prober: Prober
    canary: Canary
    supervisor: Supervisor
    watchdog: Watchdog
    pumps: tuple[Pump, ...]
    copy: Copy
    started_at: float
    clock: Clock
    is_ready: Callable[[], bool]
    report: Callable[[], Mapping[str, object]]

    def respond(self, path: str) -> Page:
        """Answer one path."""
        page = _PAGES.get(path.rstrip("/"))
        if page is None:
            return Page(HTTPStatus.NOT_FOUND, f"the pages are {' '.join(_PAGES)}\n".encode())
        return page(self)

    def live(self) -> Page:
        """Fail only when something has outlived our SIGKILL: then the kubelet may do better."""
        if self.supervisor.kill_failed:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, "a process of the engine has outlived SIGKILL")
        return _text(HTTPStatus.OK, "alive")

    def ready(self) -> Page:
        """Say whether the pod should get traffic, and why not."""
        if self.is_ready():
            return _text(HTTPStatus.OK, "ready")
        return _text(HTTPStatus.SERVICE_UNAVAILABLE, f"not ready: {self._why_not()}")

    def startup(self) -> Page:
        """Say whether this engine has ever been ready, for people and tools."""
        if self.prober.ready_at is not None:
            seconds = self.prober.ready_at - self.started_at
            return _text(HTTPStatus.OK, f"started in {seconds:.1f} seconds")
        return _text(HTTPStatus.SERVICE_UNAVAILABLE, f"starting: {self._why_not()}")

    def status(self) -> Page:
        """The report, as the operator reads it and as the termination message repeats it."""
        body = json.dumps(self.report(), ensure_ascii=False).encode(errors="replace") + b"\n"
        return Page(HTTPStatus.OK, body, "application/json")

    def metrics(self) -> Page:
        """Numbers for Prometheus."""
        return Page(HTTPStatus.OK, exposition.exposition(self._families()).encode(), exposition.MEDIA_TYPE)

    def _why_not(self) -> str:
        if self.supervisor.is_draining():
            return self.supervisor.stage.value
        view = self.reading.view
        trouble = self.prober.error or self.watchdog.suspicion
        return f"{view.phase.value} {view.percent} %{', ' + trouble if trouble else ''}"

    def _families(self) -> tuple[Family, ...]:
        now, view, watchdog = self.clock(), self.reading.view, self.watchdog
        spent = phase_seconds(view.phases, now)
        ready_at = self.prober.ready_at
        starting = ready_at is None
        return (
            Family("phase", "gauge", "1 for the phase that the engine is in.", "phase",
                   {p.value: float(p is view.phase) for p in ENGINE_PHASES}),
            Family("phase_seconds", "gauge", "Seconds that this engine has spent in each phase.", "phase",
                   {p.value: spent.get(p, 0.0) for p in ENGINE_PHASES}),
            gauge("progress_percent", view.percent, "How far the start is, 0 to 100."),
            gauge("ready", float(self.is_ready()), "1 while the pod should get traffic."),
            gauge("start_seconds", (now if ready_at is None else ready_at) - self.started_at,
                  "Seconds from the engine's start until it was first ready, or until now."),
            gauge("idle_start_seconds", watchdog.stalled_for(now) if starting else 0.0,
                  "Seconds without progress while starting."),
            gauge("stalled", float(starting and watchdog.stalled_for(now) >= watchdog.stall_budget()),
                  "1 when a start has been without progress for longer than allowed."),
            gauge("draining", float(self.supervisor.is_draining()), "1 from a requested stop on."),
            gauge("parser_broken", float(self.reading.is_broken(now)), "1 when the log can no longer be read."),
            gauge("engine_requests", self.prober.requests(now) or 0.0, "Requests running and waiting."),
            counter("probe_completions_total", self.canary.completions, "One-token completions of the agent."),
            counter("log_bytes_total", sum(p.bytes_read for p in self.pumps), "Bytes of the engine's output."),
            counter("log_lost_bytes_total", sum(p.bytes_lost for p in self.pumps), "Bytes that our output refused."),
            counter("log_gaps_total", self.copy.gaps, "Places of the log that the parser did not see."),
        )


_PAGES: dict[str, Callable[[Pages], Page]] = {
    "/live": Pages.live, "/ready": Pages.ready, "/startup": Pages.startup, "/status": Pages.status,
    "/metrics": Pages.metrics,
}


def phase_seconds(phases: Sequence[tuple[Phase, float]], now: float) -> dict[Phase, float]:
    """Return how long each phase has lasted, the last one until now."""
    ends = [*(began for _, began in phases[1:]), now]
    return {phase: max(0.0, end - began) for (phase, began), end in zip(phases, ends, strict=True)} if phases else {}


def _text(status: HTTPStatus, text: str) -> Page:
    return Page(status, text.encode(errors="replace") + b"\n")
