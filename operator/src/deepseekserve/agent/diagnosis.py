"""Turns the engine's output, byte by byte, into phase, progress, facts and, when it fails, one Failure with reason and remedy.

The ordering rule. An engine that fails writes many errors: the cause, wrappers around it, and echoes from processes that lose
their partner. Each error gets the weight of its signature (`signatures.Weight`); the heaviest wins, and among equals the
earliest, which is the root cause in the process that failed first. An error that no signature knows weighs as much as
"killed" does, so that it is never outvoted by a wrapper. What was logged before the engine served is forgotten once it serves;
from then on only the engine's own words for its death open a case, never what a request brought with it.
"""

import re
from collections import deque
from dataclasses import dataclass, replace

from deepseekserve.agent.enginefacts import Facts
from deepseekserve.agent.evidence import Evidence, Finding
from deepseekserve.agent.logtext import LINE_LIMIT, Lines, Record, clip, decode, records
from deepseekserve.agent.phases import LATE, MARKS, Phases
from deepseekserve.agent.progress import Pulse, budget, expected_seconds
from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.agent.signatures import STATEMENT, Advice, Case, Fix, Signature, Weight, advise, classify

__all__ = ["ExitInfo", "Failure", "Fix", "LogReader"]

_CAUSES_LIMIT = 64
_LINES_LIMIT = 12
_LINE_CHARS = 600
_TAIL_BYTES = 4096
_STALE_LINES = 3000         # while serving, an error that long before the death has nothing to do with it

# Lines worth a closer look; the rest is skipped by the regular expression engine without ever becoming a Python object.
_ERRORS = (
    rb"Error|Exception|Interrupt|Traceback|[Ee]rror,|rror: |Exit\b|Failure|Killed|killed|CANCELLED|NCCL WARN|Fatal Python|terminate "
    rb"called|Segmentation|Bus error|core dumped|oom-kill|OOM|No space left"
)
_FACTS = (
    rb"version|LLM engine|max model len|max_model_len|Maximum concurrency|chat template|to store kv cache|not fully optimized"
    rb"|so forcing|default MoE|Falling back|allreduce|FP8|No platform|UnspecifiedPlatform|Casting torch"
)
_STATEMENTS = rb"|".join((rb"out of memory", rb"KV cache|max seq len|[Qq]uantization|[Bb]float16|divisible|capability|max_model_len"
                          rb"|cache blocks|World size|Free memory|custom code|valid model identifier|shared memory|NUMA|exit code"))
_MARKS = b"|".join(re.escape(words.encode()) for words in (*(m.words for m in MARKS), *(w for w, _ in LATE)))
_WANTED = re.compile(b"|".join((_ERRORS, _MARKS, _FACTS, _STATEMENTS, rb"%[| ]", rb'^\{"', )), re.MULTILINE)
_WANTED_SERVING = re.compile(
    rb"EngineCore|Engine|AsyncLLM|WorkerProc|Traceback|Error:|CANCELLED|\[shutdown\]|INFO: +Shutting down|Background loop"
    rb"|terminated|[Kk]illed|exit code|out of memory|^\{\"", re.MULTILINE)

_ENGINE_PROCESS = re.compile(r"(?:Engine|Worker|VllmWorker|RayWorker|ModelRunner|Executor|DPCoord|MQLLMEngine)")
_ENGINE_SOURCE = re.compile(r"(?:^|/)(?:core|core_client|async_llm|async_llm_engine|llm_engine|engine|client|multiproc\w*|\w*executor"
                            r"|\w*worker\w*|\w*model_runner|utils)(?:\.py)?:\d+$")
_STOPPING = re.compile(r"\[shutdown\] API server: shutdown triggered|^Shutting down$")


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


@dataclass
class _Cause:
    """One error with what is known about it."""

    finding: Finding
    phase: Phase
    signature: Signature | None = None
    values: dict[str, str] | None = None

    @property
    def weight(self) -> Weight:
        return Weight.VAGUE if self.signature is None else self.signature.weight

    def weigh(self) -> None:
        """Look the error up again; it may have grown by a line."""
        known = classify(self.finding.text, "\n".join(self.finding.frames))
        if known is None or (known[0].weight < Weight.LIKELY and len(self.finding.lines) > 1):
            joined = classify("".join(self.finding.lines), "\n".join(self.finding.frames))      # broken within a word
            known = joined if known is None or (joined and joined[0].weight > known[0].weight) else known
        if known is not None:
            self.signature, self.values = known


class LogReader:
    """Reads one start's log; see the module for its rules. `now` is seconds of any clock that does not go back."""

    def __init__(self, now: float = 0.0) -> None:
        self._lines = Lines()
        self._phases = Phases()
        self._phases.begin(now)
        self._facts = Facts()
        self._pulse = Pulse(now)
        self._evidence = Evidence(STATEMENT)
        self._causes: deque[_Cause] = deque()
        self._death: Finding | None = None          # the engine's own word, while it served, that it is dead
        self._stopping = False
        self._count = 0
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

    def feed(self, data: bytes, now: float) -> None:
        """Read the next bytes, however they are cut."""
        whole = self._lines.feed(data)
        self._phases.tick(now)
        if whole:
            self._tail = (self._tail + whole[-_TAIL_BYTES:])[-_TAIL_BYTES:]
            self._pulse.feel(whole, now)
            self._scan(whole, now)
        rest = self._lines.rest
        if not self.serving_announced and b"%" in rest and b"<" in rest:
            self._phases.see_bar(decode(rest), now)

    def failure(self, end: ExitInfo | None) -> Failure | None:
        """Judge. `end` None: still running, so only what is certain to be fatal. Else the log is complete."""
        if end is None:
            return self._certain()
        if end.requested:
            return None
        if self._lines.rest:
            self._scan(self._lines.feed(b"\n"), self._phases.since)
        if end.oom_killed:
            return self._killed_by_kernel()
        cause = self._root()
        if cause is None:
            return self._from_exit(end)
        reason = self._reason(cause)
        if end.oom_killed is False and reason is Reason.HOST_OUT_OF_MEMORY and cause.weight is Weight.VAGUE:
            reason = Reason.ENGINE_CORE_DIED        # killed, and the cgroup says: not for memory
        return self._failure(reason, cause)

    def explain(self, reason: Reason, message: str | None = None) -> Failure:
        """Make the Failure for a `reason` that somebody else has found (StartupStalled, EngineUnresponsive, ...)."""
        advice = advise(Case(reason, {}, self._facts, self.phase))
        return _failure(reason, advice if message is None else replace(advice, message=message), self._last_lines())

    def _scan(self, whole: bytes, now: float) -> None:
        """Look at those of the whole lines that matter."""
        at, end = 0, len(whole)
        while at < end:
            if not self._evidence.busy:
                wanted = _WANTED_SERVING if self.serving_announced else _WANTED
                found = wanted.search(whole, at)
                if found is None:
                    return
                at = whole.rfind(b"\n", at, found.start()) + 1 or at
            stop = whole.find(b"\n", at)
            line = whole[at:stop]
            at = stop + 1
            if len(line) > LINE_LIMIT and not self._evidence.busy and not _WANTED.search(clip(line)):
                continue
            self._count += 1
            for record in records(line):
                self._see(record, now)

    def _see(self, record: Record, now: float) -> None:
        served = self.serving_announced
        if not served:
            before = self.phase
            self._phases.see(record, now)
            self._facts.see(record)
            if self.phase is not before:
                self._advance()
        elif _STOPPING.search(record.text) and record.level == "INFO":
            self._stopping = self._stopping or self._death is None
        finding = self._evidence.see(record, self._count)
        if finding is not None and not self._stopping:
            self._note(finding, served=served)

    def _advance(self) -> None:
        """Forget what the start has survived: everything once it serves, before that errors that nobody knows."""
        if self.serving_announced:
            self._causes.clear()
        else:
            self._causes = deque(c for c in self._causes if c.signature and c.weight >= Weight.VAGUE)

    def _note(self, finding: Finding, *, served: bool) -> None:
        if served and not self._admissible(finding):
            return
        cause = next((c for c in reversed(self._causes) if c.finding is finding), None)
        if cause is None:
            if len(self._causes) >= _CAUSES_LIMIT:
                self._drop_one()
            cause = _Cause(finding, self.phase)
            self._causes.append(cause)
        if cause.signature is None or cause.weight < Weight.ROOT or len(finding.lines) <= 3:
            cause.weigh()
        if served and self._death is None and cause.signature and cause.signature.serving and _is_word_of_death(finding):
            self._death = finding

    def _drop_one(self) -> None:
        """Make room: the lightest goes, the latest among equals, so that the earliest root cause stays."""
        lightest = min(c.weight for c in self._causes)
        for index in range(len(self._causes) - 1, -1, -1):
            if self._causes[index].weight == lightest:
                del self._causes[index]
                return

    def _admissible(self, finding: Finding) -> bool:
        """Tell whether an error logged while serving comes from the engine and not from a request."""
        if finding.text.startswith("slurmstepd:"):
            return True
        if finding.process and not finding.level:
            return bool(_ENGINE_PROCESS.match(finding.process))
        return finding.level in ("ERROR", "CRITICAL") and (
            bool(_ENGINE_PROCESS.match(finding.process)) or bool(_ENGINE_SOURCE.search(finding.source)))

    def _certain(self) -> Failure | None:
        if self.serving_announced and self._death is None:
            return None
        cause = self._root()
        if cause is None:
            return None
        if self.serving_announced or _is_certain(cause) or any(_is_last_word(c) for c in self._causes):
            return self._failure(self._reason(cause), cause)
        return None

    def _root(self) -> _Cause | None:
        """Return the cause by the ordering rule; None when nothing failed."""
        causes = list(self._causes)
        if self.serving_announced:
            if self._death is None:
                return None
            causes = [c for c in causes if self._death.line - c.finding.line <= _STALE_LINES]
        weighty = [c for c in causes if c.weight > Weight.ECHO]
        if not weighty:
            return None
        return max(weighty, key=lambda c: (c.weight, -c.finding.line))

    def _reason(self, cause: _Cause) -> Reason:
        if cause.signature is not None:
            return cause.signature.reason
        return Reason.ENGINE_CORE_DIED if self.serving_announced else Reason.UNKNOWN

    def _failure(self, reason: Reason, cause: _Cause) -> Failure:
        values = cause.values or {}
        advice = advise(Case(reason, values, self._facts, cause.phase, cause.finding.text))
        return _failure(reason, advice, (*cause.finding.frames[-2:], *cause.finding.lines))

    def _killed_by_kernel(self) -> Failure:
        advice = advise(Case(Reason.HOST_OUT_OF_MEMORY, {}, self._facts, self.phase))
        message = "The container reached its memory limit, and the kernel's OOM killer ended a process of the engine."
        return _failure(Reason.HOST_OUT_OF_MEMORY, replace(advice, message=message), self._last_lines())

    def _from_exit(self, end: ExitInfo) -> Failure | None:
        """Judge a log without any error by the way in which the process ended."""
        number = end.signal if end.signal is not None else end.code - 128 if end.code and end.code > 128 else None
        if number in (2, 15):
            return self.explain(Reason.TERMINATED)
        if number is not None:
            reason = Reason.UNKNOWN if number == 9 else Reason.ENGINE_CORE_DIED
            return self.explain(reason, f"The engine's main process was killed by signal {number}; its log does not say why.")
        if end.code is None:
            return None
        return self.explain(Reason.UNKNOWN, f"The engine ended by itself with exit code {end.code}; its log does not say why.")

    def _last_lines(self) -> tuple[str, ...]:
        lines = self._tail.splitlines()[-_LINES_LIMIT:]
        return tuple(text for text in (decode(line) for line in lines) if text.strip())


def _failure(reason: Reason, advice: Advice, lines: tuple[str, ...]) -> Failure:
    kept = tuple(line[:_LINE_CHARS] for line in lines[:_LINES_LIMIT])
    return Failure(reason, advice.message, advice.remedy, advice.fixes, kept)


def _is_word_of_death(finding: Finding) -> bool:
    """Tell whether the error itself is the engine's announcement, and not a text that quotes one."""
    return re.match(r"(?:[\w.]+\.)?\w*(?:DeadError\b|Engine|AsyncLLM|Background|slurmstepd)", finding.text) is not None


def _is_certain(cause: _Cause) -> bool:
    """Tell whether an error ends the start for sure: known, and not merely reported by torch's own logger."""
    return cause.weight is Weight.ROOT and cause.finding.source != "torch"


def _is_last_word(cause: _Cause) -> bool:
    """Tell whether the main process has said that it gives up."""
    return re.search(r"Engine core initialization failed|Engine process failed to start", cause.finding.text) is not None


