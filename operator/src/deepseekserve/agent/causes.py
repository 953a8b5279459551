"""Turns many Findings into the one cause, by the ordering rule.

An engine that fails writes many errors: the cause, wrappers around it, and echoes from processes that lose their
partner. Each error has the weight of its signature (`signatures.Weight`); the heaviest wins, and among equals the
earliest, which is the root cause in the process that failed first. An error that no signature knows weighs as much as
"was killed" does, so that it is never outvoted by a wrapper. An error that a program has caught and logged on its way
is only a suspicion, and none once the start has moved on. What was logged before the engine served is forgotten
once it serves; from then on only the engine's own words for its death open a case, never what a request brought with
it.
"""

import re
from dataclasses import dataclass, field

from deepseekserve.agent.evidence import Finding
from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.agent.signatures import Signature, Weight, classify

_LIMIT = 64
_REWEIGHED_LINES = 10
_LOOKUPS_LIMIT = 2000       # of one start: a flood of new errors must not keep the parser busy for ever
_STALE_S = 60.0             # while serving, an error so long before the death has nothing to do with it
_STALE_BYTES = 1 << 20

ENGINE_PROCESS = re.compile(r"Engine|Worker|VllmWorker|RayWorker|ModelRunner|Executor|DPCoord|MQLLMEngine|VLLM::")
_ENGINE_SOURCE = re.compile(
    r"(?:^|/)(?:core|core_client|async_llm|async_llm_engine|llm_engine|engine|client|utils|multiproc\w*|\w*executor\w*"
    r"|\w*worker\w*|\w*model_runner)(?:\.py)?:\d+$"
)
_WORD_OF_DEATH = re.compile(
    r"(?:[\w.]+\.)?\w*(?:DeadError\b|Engine|AsyncLLM|Background|slurmstepd)"
    r"|RuntimeError\('Engine process|\[shutdown\] MPClient: engine core exited")
# Above a logged traceback: the process that says so does not go on.
_DYING = re.compile(r"\w*(?:EngineCore|WorkerProc)\w* (?:failed|encountered a fatal|hit an exception)"
                    r"|Error executing method|Exception in worker")
_LAST_WORD = re.compile(r"Engine core initialization failed|Engine process failed to start|: error: ")


@dataclass
class Cause:
    """One error with what is known about it, when it was seen and how many bytes of log lay before it."""

    finding: Finding
    phase: Phase
    at: float
    offset: int
    signature: Signature | None = None
    values: dict[str, str] = field(default_factory=dict)

    @property
    def weight(self) -> Weight:
        """Its signature's; torch's own log lines may speak of what torch then survives."""
        if self.signature is None:
            return Weight.VAGUE
        return min(self.signature.weight, Weight.LIKELY) if self.finding.source == "torch" else self.signature.weight

    @property
    def ends_process(self) -> bool:
        """Tell whether its traceback is that of a process that ends of it, and not one that was caught and logged."""
        return self.finding.uncaught or _DYING.match(self.finding.headline) is not None

    @property
    def is_certain(self) -> bool:
        """Tell whether this ends the start for sure, although the engine may still be running."""
        if _LAST_WORD.search(self.finding.text):
            return True
        return self.weight is Weight.ROOT and self.finding.in_traceback and self.ends_process

    def weigh(self) -> None:
        """Look the error up, again after it has grown by a line; a known cause only gains values."""
        frames = "\n".join(self.finding.frames)
        known = classify(self.finding.text, frames)
        if len(self.finding.lines) > 1 and (known is None or known[0].weight < Weight.LIKELY):
            joined = classify("".join(self.finding.lines), frames)              # broken within a word
            if joined is not None and (known is None or joined[0].weight > known[0].weight):
                known = joined
        if known is None:
            return
        before = self.signature
        if before is None or before.weight is not Weight.ROOT or (
                known[0].reason is before.reason and len(known[1]) >= len(self.values)):
            self.signature, self.values = known


class Causes:
    """All errors of one start that may still explain its end; bounded."""

    def __init__(self) -> None:
        self._all: list[Cause] = []
        self._serving = False
        self._lookups = 0
        self._death: Cause | None = None        # the engine's own word, while it served, that it is dead

    @property
    def dead(self) -> bool:
        """Tell whether an engine that served has said that it is dead."""
        return self._death is not None

    def advance(self, phase: Phase) -> None:
        """Forget what the start has survived: everything once it serves, before that what nobody knows."""
        self._serving = phase is Phase.SERVING
        if self._serving:
            self._all, self._lookups = [], 0
        else:
            self._all = [c for c in self._all if c.signature is not None and c.finding.source != "torch"]
            self.outlive()

    def outlive(self) -> None:
        """Forget the errors that were caught and logged: the start has moved on since."""
        self._all = [c for c in self._all if c.ends_process or not c.finding.in_traceback]

    def note(self, finding: Finding, phase: Phase, at: float, offset: int) -> None:
        """Take a Finding, or another line of one, into account."""
        if self._serving and not _is_the_engines(finding):
            return
        cause = next((c for c in reversed(self._all) if c.finding is finding), None)
        if cause is None:
            if len(finding.lines) > 1:
                return                      # another line of what has been forgotten
            cause = Cause(finding, phase, at, offset)
            self._make_room()
            self._all.append(cause)
        if len(finding.lines) <= _REWEIGHED_LINES and self._lookups < _LOOKUPS_LIMIT:
            self._lookups += 1
            cause.weigh()
        if self._serving and self._death is None and cause.signature is not None and cause.signature.serving \
                and _WORD_OF_DEATH.match(finding.text):
            self._death = cause

    def root(self) -> Cause | None:
        """Return the cause by the ordering rule; None when nothing has failed."""
        weighty = [c for c in self._all if c.weight > Weight.ECHO and self._is_recent(c)]
        if not weighty or (self._serving and self._death is None):
            return None
        return max(weighty, key=lambda c: (c.weight, -c.finding.line))

    def certain(self) -> Cause | None:
        """Return the cause if it is certain that the engine will end of it."""
        if self._serving or any(c.is_certain for c in self._all):
            return self.root()
        return None

    def reason(self, cause: Cause) -> Reason:
        """Return the reason that a cause stands for."""
        if cause.signature is not None:
            return cause.signature.reason
        return Reason.ENGINE_CORE_DIED if self._serving else Reason.UNKNOWN

    def _is_recent(self, cause: Cause) -> bool:
        death = self._death
        return death is None or (death.at - cause.at <= _STALE_S and death.offset - cause.offset <= _STALE_BYTES)

    def _make_room(self) -> None:
        """Let the lightest go, the latest among equals, so that the earliest root cause stays."""
        while len(self._all) >= _LIMIT:
            lightest = min(c.weight for c in self._all)
            self._all.remove(next(c for c in reversed(self._all) if c.weight == lightest))


def _is_the_engines(finding: Finding) -> bool:
    """Tell whether an error logged while serving comes from the engine itself and not from a request."""
    if finding.text.startswith("slurmstepd:"):
        return True
    by_engine = ENGINE_PROCESS.match(finding.process) is not None
    if finding.process and not finding.level:
        return by_engine
    by_engine = by_engine or _ENGINE_SOURCE.search(finding.source) is not None
    return by_engine and finding.level in ("ERROR", "CRITICAL", "WARNING")
