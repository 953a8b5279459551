"""Turns the engine's output, byte by byte, into phase, progress, facts and, if it fails, a Failure with its remedy.

What the rest of the agent sees of the log. Bytes become lines (`logtext`), the interesting ones (`interest`) become
Records; `phases` and `enginefacts` read those of a start, `evidence` picks the errors, `signatures` know them, `causes`
decides.
"""

import signal
from dataclasses import dataclass, replace

from deepseekserve.agent.causes import ENGINE_PROCESS, Cause, Causes
from deepseekserve.agent.enginefacts import Facts
from deepseekserve.agent.evidence import Evidence
from deepseekserve.agent.interest import next_line
from deepseekserve.agent.logtext import QUIET, Lines, Record, decode, record, records
from deepseekserve.agent.phases import Phases
from deepseekserve.agent.progress import Pulse, budget, expected_seconds
from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.agent.signatures import Advice, Case, Fix, Weight, advise, statement
from deepseekserve.agent.signatures.words import redact
from deepseekserve.agent.telling import Telling

__all__ = ["ExitInfo", "Failure", "Fix", "LogReader"]

_LINES_LIMIT = 12
_LINE_CHARS = 600
_TAIL_BYTES = 4096
_STOPPING = ("Shutting down", "[shutdown] API")


@dataclass(frozen=True)
class ExitInfo:
    """How the engine's main process ended; `oom_killed` is the cgroup's word (True: its counter rose), None unknown."""

    code: int | None = None
    signal: int | None = None
    oom_killed: bool | None = None
    requested: bool = False


@dataclass(frozen=True)
class Failure:
    """Why the engine does not serve, in words and in edits; `lines` are the decisive lines of its log."""

    reason: Reason
    message: str
    remedy: str
    fixes: tuple[Fix, ...] = ()
    lines: tuple[str, ...] = ()


class LogReader:
    """Reads one start's log, in bounded memory; `now` is seconds of any clock that does not go back."""

    def __init__(self, now: float = 0.0) -> None:
        self._lines = Lines()
        self._phases = Phases()
        self._phases.begin(now)
        self._facts = Facts()
        self._pulse = Pulse(now)
        self._evidence = Evidence(statement)
        self._causes = Causes()
        self._reached = (self.phase, self.percent)
        self._stopping = False
        self._count = 0
        self._bytes = 0
        self._tail = b""

    @property
    def phase(self) -> Phase:
        """Phase reached so far; never goes back."""
        return self._phases.phase

    @property
    def phase_since(self) -> float:
        """When that phase began."""
        return self._phases.since

    @property
    def phases(self) -> tuple[tuple[Phase, float], ...]:
        """All phases passed, each with the time at which it began."""
        return tuple(self._phases.history)

    @property
    def percent(self) -> int:
        """Progress from 0 to 100; never falls, and is 100 only when the engine says that it serves."""
        return self._phases.percent

    @property
    def serving_announced(self) -> bool:
        """Tell whether the engine has said that it serves."""
        return self._phases.phase is Phase.SERVING

    @property
    def last_progress(self) -> float:
        """When the log last showed progress (see `progress`)."""
        return self._pulse.at

    @property
    def stall_budget_factor(self) -> float:
        """How many stall budgets the present phase may be silent; at least 1."""
        return budget(self._phases)

    @property
    def facts(self) -> dict[str, object]:
        """What the engine reported: the `engine` part of the report."""
        return self._facts.report()

    def expected_seconds(self, now: float) -> float | None:
        """Seconds until serving as far as this log allows to say, else None."""
        return expected_seconds(self._phases, self._facts, now)

    def tick(self, now: float) -> None:
        """Let time pass without output; only needed to see a silent download as such."""
        self._phases.tick(now)
        self._reached = (self.phase, self.percent)

    def serve(self, now: float) -> None:
        """Take the engine as serving: it has been seen to, although its log may not say so (log levels)."""
        self._phases.serve(now)
        self._heed_progress()

    def feed(self, data: bytes, now: float) -> None:
        """Read the next bytes, however they are cut."""
        self.tick(now)
        whole = self._lines.feed(data)
        if whole:
            self._pulse.feel(whole, now)
            self._scan(whole, now)
            self._tail = (self._tail + whole[-_TAIL_BYTES:])[-_TAIL_BYTES:]
            self._bytes += len(whole)
        if not self.serving_announced and self._lines.may_be_bar:
            self._phases.see_bar(decode(self._lines.rest), now)
            self._heed_progress()

    def failure(self, end: ExitInfo | None) -> Failure | None:
        """Judge. `end` None: it still runs, so only what is certain to be fatal. Else the log is complete."""
        if end is None:
            certain = self._causes.certain()
            return None if certain is None else self._failure(self._causes.reason(certain), certain)
        if end.requested:
            return None
        if self._lines.rest:
            self.feed(b"\n", self._pulse.at)
        if end.oom_killed:
            return self.explain(
                Reason.HOST_OUT_OF_MEMORY,
                "The container reached its memory limit, and the kernel's OOM killer ended a process of the engine.")
        cause = self._causes.root()
        if cause is None:
            return self._from_exit(end)
        reason = self._causes.reason(cause)
        if end.oom_killed is False and reason is Reason.HOST_OUT_OF_MEMORY and cause.weight is Weight.VAGUE:
            reason = Reason.ENGINE_CORE_DIED        # killed, and the cgroup says: not for memory
        return self._failure(reason, cause)

    def explain(self, reason: Reason, message: str | None = None, text: str = "") -> Failure:
        """Make the Failure for a `reason` that somebody else has found, in `text`."""
        advice = advise(Case(reason, {}, self._facts, self.phase, text))
        return _failure(reason, advice if message is None else replace(advice, message=message), self._last_lines())

    def _scan(self, whole: bytes, now: float) -> None:
        """Look at those of the whole lines that matter, and at all while an error is being written."""
        lines, at, evidence = b"\n" + whole, 1, self._evidence
        telling = Telling(lines)
        while at < len(lines):
            if not evidence.busy:
                begin = next_line(lines, at, serving=self.serving_announced)
                if begin is None:
                    return
                at = begin
            elif evidence.in_traceback:
                count, at = evidence.pass_frames(lines, at, telling.next(at, serving=self.serving_announced))
                self._count += count
                if count:
                    continue
            end = lines.find(b"\n", at)
            self._count += 1
            tells = telling.within(at, end, serving=self.serving_announced)
            for one in records(lines[at:end]):
                self._see(one, now, self._bytes + at, tells)
            at = end + 1

    def _see(self, one: Record, now: float, offset: int, tells: bool) -> None:
        if self.serving_announced:
            self._stopping = self._stopping or (_is_stopping(one) and not self._causes.dead)
        elif tells:
            self._read_start(one, now)
        finding = self._evidence.see(one, self._count)
        if finding is not None and not self._stopping:
            self._causes.note(finding, self.phase, now, offset)

    def _read_start(self, one: Record, now: float) -> None:
        self._phases.see(one, now)
        self._facts.see(one)
        self._heed_progress()

    def _heed_progress(self) -> None:
        """Let go of errors that the start has survived; a guessed download (`tick`) shows no survival."""
        (phase, percent), self._reached = self._reached, (self.phase, self.percent)
        if self.phase is not phase:
            self._causes.advance(self.phase)
        elif self.percent > percent:
            self._causes.outlive()

    def _failure(self, reason: Reason, cause: Cause) -> Failure:
        text = cause.finding.text
        values = cause.values if cause.signature else {"error": text.splitlines()[0]}
        advice = advise(Case(reason, values, self._facts, cause.phase, text))
        return _failure(reason, advice, (*cause.finding.frames[-2:], *cause.finding.lines))

    def _from_exit(self, end: ExitInfo) -> Failure | None:
        """Judge a log without any error by the way in which the process ended."""
        number = end.signal if end.signal is not None else end.code - 128 if end.code and end.code > 128 else None
        if number in (2, 15):
            return self.explain(Reason.TERMINATED)
        if number == signal.SIGILL:
            return self.explain(Reason.ENGINE_CORE_DIED, text="SIGILL")
        if number is not None:
            reason = Reason.UNKNOWN if number == 9 else Reason.ENGINE_CORE_DIED
            message = f"The engine's main process was killed by signal {number}; the log does not say why."
            return self.explain(reason, message)
        if end.code is None:
            return None
        message = f"The engine ended by itself with exit code {end.code}; the log does not say why."
        return self.explain(Reason.UNKNOWN, message)

    def _last_lines(self) -> tuple[str, ...]:
        """End of the log; once requests may have left their texts there, only what the engine's own processes say."""
        lines = [decode(line) for line in self._tail.splitlines()[-4 * _LINES_LIMIT:]]
        kept = [line for line in lines if line.strip() and (not self.serving_announced or _is_the_engines(line))]
        return tuple(kept[-_LINES_LIMIT:])


def _is_stopping(one: Record) -> bool:
    """Tell whether the server has begun to stop as asked; what its processes then say of each other is no failure.

    Other `[shutdown]` lines (process manager, MPClient) also come when the engine core was killed, before any error.
    """
    return one.level == "INFO" and one.text.startswith(_STOPPING)


def _is_the_engines(line: str) -> bool:
    one = record(line)
    return one.level not in QUIET and (one.source == "torch" or ENGINE_PROCESS.match(one.process) is not None)


def _failure(reason: Reason, advice: Advice, lines: tuple[str, ...]) -> Failure:
    kept = tuple(redact(line[:_LINE_CHARS]) for line in lines[-_LINES_LIMIT:])
    return Failure(reason, redact(advice.message), redact(advice.remedy), advice.fixes, kept)
