"""Turns the recorded starts into the table of docs/starts.md: how wrong the expected time is, on a virtual clock.

Part of `make handbook`. Each start is stopped at a share of its true length, and the agent's report of that moment goes
the operator's way. Where a model was started several times on one machine, each start is judged once more for each
other one that may have come before it.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from deepseekserve.agent.diagnosis import LogReader
from deepseekserve.agent.report import Standing, report
from deepseekserve.diagnose import progress
from deepseekserve.facts import AgentReport, Took, parse_report
from deepseekserve.facts.durations import took_of
from tests.logs import recorder
from tests.logs.recorder import Log
from tests.unit.seen import pod

PAGE = Path(__file__).parents[2] / "docs" / "starts.md"
BEGIN, END = "<!-- Made by `make handbook`; do not edit. -->\n", "<!-- end -->"
SHARES = (0.25, 0.5, 0.75)
BEGAN_S = 1_700_000_000.0      # any moment
RUNNING = pod("running")
ON_GPUS = "many models on GPUs, for the first time"


@dataclass(frozen=True)
class Start:
    """One recorded start, up to its end: the engine announces itself, or has said all that it says without a server."""

    log: Log

    @cached_property
    def lines(self) -> list[tuple[float, bytes]]:
        """What was said until it served."""
        reader, said = LogReader(), []
        for second, line in self.log.clocked():
            said.append((second, line))
            reader.feed(line, second)
            if reader.serving_announced:
                break
        return said

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.lines[-1][0]

    def report(self, at: float) -> AgentReport:
        """What the agent reports at a second of the start."""
        reader = LogReader(BEGAN_S)
        for second, line in self.lines:
            if second <= at:
                reader.feed(line, BEGAN_S + second)
        reader.tick(BEGAN_S + at)
        found = parse_report(report(Standing(
            phase=reader.phase, percent=reader.percent, phase_since=reader.phase_since, phases=reader.phases,
            started_at=BEGAN_S, expected_seconds=reader.expected_seconds(BEGAN_S + at),
        )))
        assert found
        return found

    @cached_property
    def reports(self) -> dict[float, AgentReport]:
        """By share of the start."""
        return {share: self.report(share * self.seconds) for share in SHARES}

    @cached_property
    def took(self) -> Took | None:
        """What is kept of it."""
        return took_of(self.report(self.seconds))

    def error(self, share: float, took: Took | None) -> float | None:
        """How wrong the expected time is at a share of this start, as a share of its length; None: nothing is said."""
        now = datetime.fromtimestamp(BEGAN_S + share * self.seconds, UTC)
        expected = progress(replace(RUNNING, report=self.reports[share]), now, took=took).ready_at
        return abs(expected.timestamp() - BEGAN_S - self.seconds) / self.seconds if expected else None


def starts(logs: Sequence[Log]) -> list[Start]:
    """Those of the logs that tell the time."""
    return [start for start in map(Start, logs) if start.seconds > 0]


def pairs(these: Sequence[Start]) -> Iterator[tuple[Start, Took]]:
    """Each start with what another one of the same kind took."""
    for start in these:
        for other in these:
            if other is not start and _is_eager(other) == _is_eager(start) and other.took:
                yield start, other.took


def _is_eager(start: Start) -> bool:
    return "--enforce-eager" in start.log.field("command")


def written(page: str) -> str:
    """The page with today's table; where the logs from GPUs are not at hand, with its present line on them."""
    before, _, rest = page.partition(BEGIN)
    shown, _, after = rest.partition(END)
    cpu, gpu = starts(recorder.CPU_SUCCESSES), starts(recorder.GPU_SUCCESSES)
    rows = [
        "| starts | number | " + " | ".join(f"at {share:.0%}" for share in SHARES) + " |",
        "|---|---|" + "---|" * len(SHARES),
        _row("a tiny model on a CPU, for the first time", [(start, None) for start in cpu]),
        _row("the same after an earlier start", list(pairs(cpu))),
        *([_row(ON_GPUS, [(start, None) for start in gpu])] if gpu else
          [row for row in shown.splitlines() if ON_GPUS in row]),
    ]
    return "".join([before, BEGIN, *(f"{row}\n" for row in rows), END, after])


def _row(what: str, cases: Sequence[tuple[Start, Took | None]]) -> str:
    cells = [_cell([start.error(share, took) for start, took in cases]) for share in SHARES]
    return f"| {what} | {len(cases)} | {' | '.join(cells)} |"


def _cell(errors: Sequence[float | None]) -> str:
    said = sorted(error for error in errors if error is not None)
    silent = f" ({len(errors) - len(said)} silent)" if len(said) < len(errors) else ""
    return f"{statistics.median(said):.0%}, {said[int(len(said) * 0.9)]:.0%}{silent}"


def main() -> None:
    """Write the table."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
