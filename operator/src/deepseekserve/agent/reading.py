"""Turns the copy of the engine's output into Views of the log: what the rest of the agent knows of it.

The only thread that touches the parser (`diagnosis.LogReader`). A View is immutable and replaced as a whole, so that
pages and decisions never wait for the parser; should it raise or hang, the View says broken and the engine runs on.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from deepseekserve.agent.clock import Clock
from deepseekserve.agent.diagnosis import ExitInfo, Failure, LogReader
from deepseekserve.agent.limits import Limits
from deepseekserve.agent.pipes import GAP, Copy
from deepseekserve.agent.reasons import Phase, Reason

_FLOOD_RESTS = 9.0            # a flood cannot all be read anyway: while it lasts the parser works a tenth of the time


@dataclass(frozen=True)
class View:
    """What the log has said until `at`; times in seconds of the agent's clock."""

    at: float
    phase_since: float
    last_progress: float
    phase: Phase = Phase.STARTING
    percent: int = 0
    expected_seconds: float | None = None
    stall_factor: float = 1.0
    announced: bool = False
    facts: Mapping[str, object] = field(default_factory=dict)
    failure: Failure | None = None                # certain, although the engine may still be dying
    failed_at: float | None = None                # when it was first certain
    phases: tuple[tuple[Phase, float], ...] = ()  # all so far, each with its beginning
    broken: bool = False                          # the parser has raised: nothing here will change any more


class Joiner:
    """Makes one stream of two without cutting into a line; feeds unfinished lines only when told to `settle`."""

    def __init__(self, line_bytes: int) -> None:
        self._limit = line_bytes
        self._rest: dict[int, bytes] = {}
        self._open: int | None = None             # the stream whose unfinished line was given out last

    def push(self, stream: int, data: bytes) -> bytes:
        """Return what may go to the parser now that `data` came from `stream`; a GAP ends every line."""
        if data == GAP:
            return self.settle() + b"\n"
        data = self._rest.pop(stream, b"") + data
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if len(data) - cut > self._limit:
            cut = len(data)
        if cut < len(data):
            self._rest[stream] = data[cut:]
        return self._give(stream, data[:cut])

    def settle(self) -> bytes:
        """Return the unfinished lines too."""
        rest, self._rest = self._rest, {}
        return b"".join(self._give(stream, data) for stream, data in rest.items())

    def _give(self, stream: int, data: bytes) -> bytes:
        if not data:
            return b""
        broken_line = b"\n" if self._open not in (None, stream) else b""
        self._open = None if data[-1:] in (b"\n", b"\r") else stream
        return broken_line + data


class Reading(threading.Thread):
    """Feeds the parser from the copy and publishes `view`; ends with the copy."""

    def __init__(self, log: LogReader, copy: Copy, clock: Clock, limits: Limits) -> None:
        super().__init__(name="reading", daemon=True)
        self._log = log
        self._copy = copy
        self._clock = clock
        self._limits = limits
        self._joiner = Joiner(limits.line_bytes)
        self._serves = False                           # set by `prober`, handed to the parser by this thread
        now = clock()
        self._beat = now                               # when this thread was last seen alive
        self._seen_bytes, self._seen_at = 0, now
        self._published = 0.0
        self.view = View(at=now, phase_since=now, last_progress=now)

    def run(self) -> None:
        """Parse until the copy ends or the parser raises; then only count output as progress."""
        try:
            self._parse()
        except Exception:  # noqa: BLE001  a wrapper must never be the reason for an outage
            self.view = replace(self.view, broken=True, failure=None, failed_at=None)
            while self._copy.take(self._limits.health_s) is not None:
                pass

    def serve(self) -> None:
        """Say, from any thread, that the engine has been seen to serve: all that it writes from now on is read so."""
        self._serves = True

    def is_announced(self, now: float) -> bool:
        """Tell whether the log lets the engine be asked: it has said that it serves, or can no longer be read."""
        return self.view.announced or self.is_broken(now)

    def is_broken(self, now: float) -> bool:
        """Tell whether the parser has raised, or is lost in something for too long."""
        return self.view.broken or (self.is_alive() and now - self._beat > self._limits.parser_hung_s)

    def last_progress(self, now: float) -> float:
        """Return when the start last moved; without a parser, any output counts."""
        if self._copy.bytes_seen != self._seen_bytes:
            self._seen_bytes, self._seen_at = self._copy.bytes_seen, now
        return max(self.view.last_progress, self._seen_at) if self.is_broken(now) else self.view.last_progress

    def failure(self, end: ExitInfo, now: float) -> Failure | None:
        """Judge the whole log after the engine's end; None when the parser is broken or still at work."""
        if self.is_alive() or self.is_broken(now):
            return None
        try:
            return self._log.failure(end)
        except Exception:  # noqa: BLE001  a wrapper must never be the reason for an outage
            return None

    def last_lines(self) -> tuple[str, ...]:
        """Return the end of the log, for failures that the log does not explain."""
        return self._log.explain(Reason.UNKNOWN).lines

    def _parse(self) -> None:
        while (parts := self._copy.take(self._limits.settle_s)) is not None:
            began = self._beat = self._clock()
            for stream, data in parts:
                self._feed(self._joiner.push(stream, data))
            if not parts:
                self._feed(self._joiner.settle())
            if not parts or self._clock() - self._published >= self._limits.view_s:
                self._publish()
            if parts:                                  # a few large reads cost less than many small ones
                self._copy.rest(began + self._limits.pace_s - self._clock())
        self._feed(self._joiner.settle())
        self._publish()

    def _feed(self, data: bytes) -> None:
        seen = self._copy.bytes_seen
        for at in range(0, len(data), self._limits.feed_bytes):
            began = self._beat = self._clock()
            self._hand_on(began)
            self._log.feed(data[at:at + self._limits.feed_bytes], began)
            before, seen = seen, self._copy.bytes_seen
            if self._copy.is_full and seen != before:  # a flood: the pumps need the interpreter more than we do
                self._copy.rest(_FLOOD_RESTS * (self._clock() - began))

    def _hand_on(self, now: float) -> None:
        if self._serves and not self._log.serving_announced:
            self._log.serve(now)

    def _publish(self) -> None:
        log, now = self._log, self._clock()
        self._hand_on(now)
        log.tick(now)
        self._published = now
        failure = log.failure(None)
        self.view = View(
            at=now, phase=log.phase, phase_since=log.phase_since, percent=log.percent, phases=log.phases,
            expected_seconds=log.expected_seconds(now), last_progress=log.last_progress,
            stall_factor=log.stall_budget_factor, announced=log.serving_announced, facts=log.facts,
            failure=failure, failed_at=(self.view.failed_at or now) if failure else None,
        )
