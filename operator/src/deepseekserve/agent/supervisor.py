"""Turns signals, verdicts and the engine's end into the order in which things are stopped.

The main thread. Stages never go back: running, lame duck (unready, answering), terminating (SIGTERM sent), killing
(SIGKILL sent to everything, again at every tick), and after the engine's end the burial of what it left behind.
"""

import os
import subprocess
from collections.abc import Callable
from enum import Enum

from deepseekserve.agent.clock import Clock
from deepseekserve.agent.diagnosis import Failure
from deepseekserve.agent.drain import Drain
from deepseekserve.agent.limits import Limits
from deepseekserve.agent.prober import Prober
from deepseekserve.agent.processes import descendants, kill_all, reap
from deepseekserve.agent.signals import Signals


class Stage(Enum):
    """How far the end of the engine is."""

    RUNNING = "running"
    LAME_DUCK = "lame duck"
    TERMINATING = "terminating"
    KILLING = "killing"
    ENDED = "ended"


class Supervisor:
    """Owns the engine's process; `stage`, `failure` and `kill_failed` are read by the pages."""

    def __init__(self, child: "subprocess.Popen[bytes]", prober: Prober, drain_s: float, clock: Clock, limits: Limits,
                 ) -> None:
        self._child = child
        self._prober = prober
        self._drain_s = drain_s
        self._clock = clock
        self._limits = limits
        self._stage_since = clock()
        self._drain: Drain | None = None
        self.stage = Stage.RUNNING
        self.requested = False                   # we were asked to stop, and have told the engine so
        self.failure: Failure | None = None      # why the agent itself ended the engine
        self.failed_at: float | None = None      # when it found that
        self.kill_failed = False                 # something has outlived SIGKILL

    def is_draining(self) -> bool:
        """Tell whether new requests should go elsewhere."""
        return self.stage is not Stage.RUNNING

    def run(self, signals: Signals, verdict: Callable[[float], Failure | None]) -> int:
        """Return when the engine and all that it started are gone: its return code (minus N for signal N)."""
        reap(self._child)
        while self._child.returncode is None:
            signals.wait(self._limits.tick_s)
            if signals.stop_asked:
                self._obey()
            self._step(verdict)
            reap(self._child)
        self._enter(Stage.ENDED)
        self._bury(signals)
        return self._child.returncode

    def _enter(self, stage: Stage) -> None:
        self.stage = stage
        self._stage_since = self._clock()

    def _obey(self) -> None:
        """Begin the stop that was asked for, once: a SIGTERM that is repeated, as by a kubelet, ends no request."""
        if self.stage is not Stage.RUNNING:
            return
        if self._prober.ready_at is None:        # a starting engine swallows SIGTERM
            self.requested = True
            self._kill()
            return
        self._prober.draining = True
        self._drain = Drain(since=self._clock(), budget_s=self._drain_s)
        self._enter(Stage.LAME_DUCK)

    def _step(self, verdict: Callable[[float], Failure | None]) -> None:
        now = self._clock()
        if self.stage is Stage.RUNNING:
            self.failure = _fenced(verdict, now)
            if self.failure is not None:
                self.failed_at = now
                self._kill()
        elif self.stage is Stage.LAME_DUCK and self._drain is not None:
            self._drain = self._drain.observe(self._prober.requests(now), now)
            if self._drain.is_over(now, self._limits):
                self._terminate()
        elif self.stage is Stage.TERMINATING and now - self._stage_since >= self._limits.terminate_s:
            self._kill()
        elif self.stage is Stage.KILLING:
            kill_all(self._child, os.getpid())
            self.kill_failed = now - self._stage_since >= self._limits.kill_s

    def _terminate(self) -> None:
        self.requested = True
        self._enter(Stage.TERMINATING)
        self._child.terminate()

    def _kill(self) -> None:
        self._enter(Stage.KILLING)
        kill_all(self._child, os.getpid())

    def _bury(self, signals: Signals) -> None:
        """Kill and reap what has outlived the engine: it may still hold the GPU's memory."""
        while descendants(os.getpid()):
            kill_all(self._child, os.getpid())
            signals.wait(self._limits.tick_s / 5)
            reap(self._child)
            if self._clock() - self._stage_since >= self._limits.kill_s:
                self.kill_failed = True
                return


def exit_code(return_code: int, *, requested: bool) -> int:
    """Turn the engine's end into ours: 0 only when a stop was asked for, 128 + N for signal N."""
    if requested:
        return 0
    return 128 - return_code if return_code < 0 else return_code or 1


def _fenced(verdict: Callable[[float], Failure | None], now: float) -> Failure | None:
    try:
        return verdict(now)
    except Exception:  # noqa: BLE001  a wrapper must never be the reason for an outage
        return None
