"""Turns what log, probes and processes show into the agent's own failures: stalled, hanging, unresponsive.

Asked by `supervisor` at every tick while nobody has asked for an end; a verdict means that the engine is killed.
"""

import os

from deepseekserve.agent.canary import Canary
from deepseekserve.agent.diagnosis import Failure, Fix
from deepseekserve.agent.limits import Limits
from deepseekserve.agent.prober import Prober
from deepseekserve.agent.processes import descendants
from deepseekserve.agent.reading import Reading
from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.vitals import Signs, cpu_seconds, is_stopped, unresponsive


class Watchdog:
    """Remembers what a verdict needs over time: the last look at the processes, the first at a fatal line."""

    def __init__(self, reading: Reading, prober: Prober, canary: Canary, limits: Limits, stall_s: float) -> None:
        self._reading = reading
        self._prober = prober
        self._canary = canary
        self._limits = limits
        self._stall_s = stall_s
        self._fatal_since: float | None = None
        self._looked_at = 0.0
        self._stopped = False
        self._cpu_before: tuple[float, float | None] = (0.0, None)       # when doubt began, CPU seconds then
        self._cpu_s: float | None = None
        self.suspicion: str | None = None         # what an engine that may be dead fails to do: no new traffic

    def verdict(self, now: float) -> Failure | None:
        """Return why the engine must be killed now, None when it may live."""
        if self._prober.ready_at is None:
            return self._hanging(now, self._reading.last_progress(now)) or self._stalled(now)
        if self._prober.failing_since is not None and (failure := self._hanging(now, 0.0)):
            return failure
        return self._unresponsive(now)

    def stalled_for(self, now: float) -> float:
        """Return the seconds without progress of a start."""
        return max(0.0, now - self._reading.last_progress(now))

    def _hanging(self, now: float, last_progress: float) -> Failure | None:
        """A fatal line is certain, yet the engine neither ends nor moves on."""
        failure = self._reading.view.failure
        if failure is None:
            self._fatal_since = None
            return None
        self._fatal_since = self._fatal_since or now
        return failure if now - max(self._fatal_since, last_progress) >= self._limits.fatal_s else None

    def _stalled(self, now: float) -> Failure | None:
        view, budget = self._reading.view, self.stall_budget()
        idle = self.stalled_for(now)
        if idle < budget:
            return None
        if view.failure is not None:
            return view.failure
        twice = f"{2 * self._stall_s:.0f}"
        waits = f" The engine's port says: {self._prober.error}." if self._prober.error else ""
        return Failure(
            reason=Reason.STARTUP_STALLED,
            message=f"No progress for {idle:.0f} seconds in phase {view.phase.value} ({view.percent} %).{waits}",
            remedy=(f"If this start is only slow, set spec.startup.stallSeconds to {twice}; else look at what the "
                    "phase waits for: storage or network for weights, other pods of the same model, GPUs."),
            fixes=(Fix("spec.startup.stallSeconds", twice, "allows twice the time without progress"),),
            lines=self._reading.last_lines(),
        )

    def stall_budget(self) -> float:
        """Return the longest time without progress that the present phase may take."""
        return self._stall_s * max(1.0, self._reading.view.stall_factor)

    def _unresponsive(self, now: float) -> Failure | None:
        signs = self._signs(now)
        self.suspicion = unresponsive(signs, now, self._limits.unready_s, self._stall_s)
        message = unresponsive(signs, now, self._limits.unresponsive_s, self._stall_s)
        if message is None:
            self._send_canary(signs, now)
            return None
        return Failure(
            reason=Reason.ENGINE_UNRESPONSIVE,
            message=f"While serving, {message}; it was killed and starts again.",
            remedy=("One such restart needs nothing. If it returns, look at the GPUs (driver errors, Xid messages in "
                    "the node's kernel log) and at spec.engine.extraArgs, and try a newer spec.engine.image."),
            lines=self._reading.last_lines(),
        )

    def _signs(self, now: float) -> Signs:
        prober, canary, load = self._prober, self._canary, self._prober.load
        self._look_at_processes(now)
        proof_at = max(prober.proof_at, canary.proof_at)
        refused_since, refusal = canary.refused_since, canary.refusal
        if refused_since is not None:
            refused_since = max(refused_since, prober.tokens_at)
        doubt_since = refused_since or proof_at
        if doubt_since != self._cpu_before[0]:
            self._cpu_before = (doubt_since, self._cpu_s)
        since = [t for t in (prober.queued_since, canary.since) if t is not None]
        return Signs(
            answered_at=prober.answered_at, failing_since=prober.failing_since, proof_at=proof_at,
            pending_since=min(since) if since else None, stopped=self._stopped, cpu_share=self._cpu_share(now),
            asleep=load is not None and load.asleep,
            refused_since=refused_since, complaint=refusal.complaint if refusal else "",
        )

    def _look_at_processes(self, now: float) -> None:
        if now - self._looked_at >= self._limits.processes_s:
            processes = descendants(os.getpid())
            self._looked_at = now
            self._stopped, self._cpu_s = is_stopped(processes), cpu_seconds(processes)

    def _cpu_share(self, now: float) -> float | None:
        since, before = self._cpu_before
        if before is None or self._cpu_s is None or now <= since:
            return None
        return max(0.0, self._cpu_s - before) / (now - since)

    def _send_canary(self, signs: Signs, now: float) -> None:
        """Ask for one token when a process is stopped, or when nothing has shown for long that the engine works.

        A refused one is asked again, whatever else moves: only a success, anybody's, speaks for the engine then.
        """
        pause_s = self._limits.health_s if signs.stopped else self._limits.idle_canary_s
        quiet = signs.pending_since is None and now - signs.proof_at >= pause_s
        doubtful = signs.stopped or quiet or signs.refused_since is not None
        if doubtful and not signs.asleep and now - self._canary.asked_at >= pause_s:
            self._canary.send()
