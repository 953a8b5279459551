"""Turns what the log has shown into two judgements about time: when it last moved, and how long it will still take.

Pure; the clock is the caller's. What counts as progress: any line, except those of `_HEARTBEAT` (an engine that waits
says them for ever), and except the same words (numbers left out) for more than `_REPEATS` times: a loop that retries
is no start.
"""

import math
import re

from deepseekserve.agent.enginefacts import GIB, Facts
from deepseekserve.agent.phases import Phases
from deepseekserve.agent.reasons import Phase

# How many times the stall budget each phase may be silent. Longest silences of healthy starts in the logs: 845 s and
# 577 s (a download, which vLLM does not show), 323 s (weights from a slow disk), 622 s (first kernels after
# torch.compile), 2173 s (graph capture, with bars).
BUDGETS: dict[Phase, float] = {
    Phase.STARTING: 1.0,
    Phase.DOWNLOADING: 6.0,
    Phase.LOADING_WEIGHTS: 2.0,
    Phase.COMPILING: 2.0,
    Phase.PROFILING_MEMORY: 2.0,
    Phase.CAPTURING_GRAPHS: 2.0,
    Phase.SERVING: 1.0,
}

_HEARTBEAT = re.compile(
    rb"No available shared memory broadcast block|Waiting for \d+ local|Waiting for \d+ (?:local|remote)"
    rb"|core engine proc"
    rb"|HTTP/1\.[01]\"? \d{3}|Engine \d+: Avg prompt throughput|waiting for (?:lock|the lock)|still waiting"
)
_DIGITS = re.compile(rb"[\d.,:]+")
_REPEATS = 100
_FORMS_LIMIT = 2048
_LINES_PER_CHUNK = 16

# Seconds that the phases usually take on a machine on which _TYPICAL_START_S pass before loading.
_TYPICAL_START_S = 14.0
_TYPICAL_S: dict[Phase, float] = {
    Phase.LOADING_WEIGHTS: 8.0, Phase.COMPILING: 20.0, Phase.PROFILING_MEMORY: 3.0, Phase.CAPTURING_GRAPHS: 12.0,
}
_TYPICAL_CPU_S: dict[Phase, float] = {
    Phase.LOADING_WEIGHTS: 0.5, Phase.COMPILING: 12.0, Phase.PROFILING_MEMORY: 0.3, Phase.CAPTURING_GRAPHS: 0.0,
}
_AFTERWARDS_S = 1.0
_SAID_SOMETHING_PERCENT = 5
_LOADING_BYTES_PER_S = 0.7 * GIB
_ORDER = (Phase.STARTING, Phase.DOWNLOADING, *_TYPICAL_S)


class Pulse:
    """When the log last showed progress."""

    def __init__(self, now: float) -> None:
        self.at = now
        self._forms: dict[int, int] = {}

    def feel(self, lines: bytes, now: float) -> None:
        """Take whole lines into account; of a flood only the last few are looked at."""
        for line in lines[-65536:].split(b"\n")[-_LINES_PER_CHUNK - 1:-1]:
            if line.strip() and not _HEARTBEAT.search(line) and self._is_new(line[:512]):
                self.at = now
                return

    def _is_new(self, line: bytes) -> bool:
        if b"%" in line:                              # a bar: its numbers are the news
            return self._count(hash(line)) == 1
        return self._count(hash(_DIGITS.sub(b"", line))) <= _REPEATS

    def _count(self, form: int) -> int:
        if form not in self._forms and len(self._forms) >= _FORMS_LIMIT:
            del self._forms[next(iter(self._forms))]
        self._forms[form] = self._forms.get(form, 0) + 1
        return self._forms[form]


def budget(phases: Phases) -> float:
    """Factor on the stall budget for where the start stands; a download that may be under way counts as one."""
    if phases.may_download_since is not None:
        return BUDGETS[Phase.DOWNLOADING]
    return BUDGETS[phases.phase]


def expected_seconds(phases: Phases, facts: Facts, now: float) -> float | None:
    """Seconds until serving, from this log alone; None while it has said too little, and once the engine serves."""
    if phases.phase is Phase.SERVING or phases.percent < _SAID_SOMETHING_PERCENT or not phases.history:
        return None
    if phases.phase is Phase.DOWNLOADING and phases.seconds_left is None:
        return None
    start_s = _start_seconds(phases, now)
    # The root: a part of what makes a beginning slow is not the machine.
    speed = math.sqrt(min(max(start_s / _TYPICAL_START_S, 0.3), 4.0))
    here = _ORDER.index(phases.phase)
    later = sum(_typical(phase, facts) * speed for phase in _ORDER[here + 1:])
    left = start_s - (now - phases.since) if here == 0 else _left_here(phases, facts, speed, now)
    return max(left, 0.0) + later + _AFTERWARDS_S * speed


def _start_seconds(phases: Phases, now: float) -> float:
    """Seconds that the first phase takes: as it was, or as the part of it that lies behind lets expect."""
    began = phases.history[0][1]
    for phase, at in phases.history:
        if phase is not Phase.STARTING:
            return at - began
    return max((phases.share_at - began) / max(phases.share, 0.2), now - began)


def _left_here(phases: Phases, facts: Facts, speed: float, now: float) -> float:
    """Seconds that the phase in progress will still take: its bar's word, else what is usual less what has passed.

    Beyond what is usual it takes longer the longer it has taken.
    """
    if phases.seconds_left is not None:
        seconds, said_at = phases.seconds_left
        return seconds - (now - said_at)
    here_s = now - phases.since
    return max(_typical(phases.phase, facts) * speed - here_s, here_s / 3)


def _typical(phase: Phase, facts: Facts) -> float:
    if phase is Phase.DOWNLOADING or (facts.eager and phase in (Phase.COMPILING, Phase.CAPTURING_GRAPHS)):
        return 0.0
    if phase is Phase.LOADING_WEIGHTS and facts.checkpoint_bytes:
        return facts.checkpoint_bytes / _LOADING_BYTES_PER_S + 1.0
    return (_TYPICAL_CPU_S if facts.cpu else _TYPICAL_S)[phase]
