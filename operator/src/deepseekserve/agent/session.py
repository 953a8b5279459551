"""Turns one started engine into all the parts that watch it, and at its end into the last report and our exit code.

Built by `main`; the parts know each other only through what is handed to them here.
"""

import contextlib
import fcntl
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deepseekserve.agent.canary import Canary
from deepseekserve.agent.cgroup import oom_kills
from deepseekserve.agent.client import EngineClient
from deepseekserve.agent.clock import steady_clock
from deepseekserve.agent.diagnosis import ExitInfo, Failure, LogReader
from deepseekserve.agent.launch import Launch
from deepseekserve.agent.limits import Limits
from deepseekserve.agent.options import Options
from deepseekserve.agent.pages import Pages
from deepseekserve.agent.pipes import Copy, Pump
from deepseekserve.agent.prober import Prober
from deepseekserve.agent.reading import Reading
from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.agent.report import Standing, report
from deepseekserve.agent.server import Server
from deepseekserve.agent.signals import Signals
from deepseekserve.agent.supervisor import Supervisor, exit_code
from deepseekserve.agent.verdicts import Watchdog

Parser = Callable[[float], LogReader]


@dataclass(frozen=True)
class Outcome:
    """How the engine ended."""

    exit_code: int
    report: Mapping[str, object]
    by_agent: Failure | None                     # why the agent itself ended it


class Session:
    """One engine, from its start to its end."""

    def __init__(self, options: Options, launch: Launch, child: "subprocess.Popen[bytes]", parser: Parser,
                 limits: Limits) -> None:
        clock = steady_clock()
        self._launch = launch
        self._clock = clock
        self._limits = limits
        self._started_at = clock()
        self._oom_kills = oom_kills()
        self._copy = Copy(limits)
        self._pumps = tuple(
            Pump(_widened(pipe.fileno(), limits), _widened(sink, limits), self._copy, limits)
            for pipe, sink in ((child.stdout, 1), (child.stderr, 2)) if pipe is not None
        )
        self._reading = Reading(parser(clock()), self._copy, clock, limits)
        client = EngineClient(options.engine_port, options.model, launch.key)
        self._canary = Canary(client, clock, timeout_s=2.0 * max(options.stall_seconds, limits.unresponsive_s))
        self._prober = Prober(client, self._canary, self._reading, clock, limits)
        self._supervisor = Supervisor(child, self._prober, options.drain_seconds, clock, limits)
        self._watchdog = Watchdog(self._reading, self._prober, self._canary, limits, options.stall_seconds)

    def run(self, signals: Signals, listener: socket.socket) -> Outcome:
        """Watch the engine until it and all that it started are gone."""
        pages = Server(listener, self._pages().respond, self._clock, self._limits)
        for thread in (*self._pumps, self._reading, self._prober, pages):
            thread.start()
        return_code = self._supervisor.run(signals, self._watchdog.verdict)
        self._prober.stop()
        self._flush()
        return self._conclude(return_code)

    def _pages(self) -> Pages:
        return Pages(
            reading=self._reading, prober=self._prober, canary=self._canary, supervisor=self._supervisor,
            watchdog=self._watchdog, pumps=self._pumps, copy=self._copy, started_at=self._started_at,
            clock=self._clock, is_ready=self._is_ready, report=self._report_now,
        )

    def _flush(self) -> None:
        """Let the last of the log through and into the parser; nothing here may wait for ever."""
        end = self._clock() + self._limits.flush_s
        for pump in self._pumps:
            pump.join(max(0.0, end - self._clock()))
        self._copy.close()
        self._reading.join(self._limits.flush_s)

    def _conclude(self, return_code: int) -> Outcome:
        supervisor = self._supervisor
        requested = supervisor.requested
        end = ExitInfo(
            code=return_code if return_code >= 0 else None, signal=-return_code if return_code < 0 else None,
            oom_killed=self._was_oom_killed(), requested=requested,
        )
        failure = self._reading.failure(end, self._clock())
        if supervisor.failure is not None and not end.oom_killed:
            failure = supervisor.failure
        if failure is None and not requested:
            failure = _unread(return_code)
        code = exit_code(return_code, requested=requested)
        return Outcome(code, self._report(failure, code), supervisor.failure)

    def _was_oom_killed(self) -> bool | None:
        now = oom_kills()
        return None if now is None or self._oom_kills is None else now > self._oom_kills

    def _is_ready(self) -> bool:
        """Tell whether the pod should get traffic."""
        return self._serves() and not self._supervisor.is_draining()

    def _serves(self) -> bool:
        return self._prober.is_ready(self._clock()) and self._watchdog.suspicion is None

    def _report_now(self) -> Mapping[str, object]:
        """Report while the engine runs: what the log says of a failure counts only when the engine does not serve."""
        serves = self._serves()
        return self._report(self._supervisor.failure or (None if serves else self._reading.view.failure), None)

    def _report(self, failure: Failure | None, code: int | None) -> Mapping[str, object]:
        now, view, prober, chat = self._clock(), self._reading.view, self._prober, self._canary.chat
        known_at = [at for at in (view.failed_at, self._supervisor.failed_at) if at is not None]
        notes = [*self._launch.notes, *_words(view.facts.get("notes"))]
        if prober.unannounced:
            notes.append("the log has not announced the server; its answers alone made it ready")
        if self._reading.is_broken(now):
            notes.append("the log can no longer be read: progress and failures are not known")
        been_ready = prober.ready_at is not None
        return report(Standing(
            phase=Phase.SERVING if been_ready else view.phase, percent=100 if been_ready else view.percent,
            phase_since=view.phase_since if view.phase is Phase.SERVING else prober.ready_at or view.phase_since,
            phases=view.phases, started_at=self._started_at,
            expected_seconds=None if been_ready else view.expected_seconds, ready=code is None and self._is_ready(),
            engine={**view.facts, "notes": notes} if notes else view.facts,
            failure=failure, failed_at=min(known_at, default=now), exit_code=code,
            degraded=chat or None, settled=chat is not None,
        ))


def _widened(descriptor: int, limits: Limits) -> int:
    """Ask the kernel for a longer pipe, so that the engine waits for us less often; return its descriptor."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, limits.pipe_bytes)
    return descriptor


def _unread(return_code: int) -> Failure:
    how = f"signal {-return_code}" if return_code < 0 else f"exit code {return_code}"
    return Failure(
        reason=Reason.UNKNOWN, message=f"The engine ended by itself ({how}); its log says nothing about why.",
        remedy="Look at the end of the container's log (kubectl logs --previous).", fixes=(), lines=(),
    )


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, (list, tuple)) else []
