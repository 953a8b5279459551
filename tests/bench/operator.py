"""What the operator costs beside a bare loop that makes the same objects, on a control plane without nodes.

The two never run at the same time, as either would serve the resources of the other; they take turns, so that a
machine that becomes slower meanwhile slows both.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.report import Figures, spread
from tests.bench.sides import Side, looping, operating, side_of
from tests.bench.stage import Stage, stage
from tests.bench.summary import LOOP, OPERATOR, Burst, Found, summary
from tests.integration.operating import Operator
from tests.soak.ground import copied_source, ground

RECONCILES = "deepseekserve_reconciles_total"
POLL_S = 0.25
FIRST_RESYNC_S = 20                # it comes after 15

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    single_turns: int = 6             # of each side, with `singles` resources one after the other
    singles: int = 5
    some: int = 100
    many: int = 1000
    idle_s: int = 60


QUICK = Scale(single_turns=1, singles=5, some=20, many=50, idle_s=10)


@dataclass
class Bench:
    """One run: the stage, the operator that is measured, and what was found so far."""

    stage: Stage
    operator: Operator
    scale: Scale
    progress: Progress
    found: Found

    async def run(self) -> None:
        """Everything, the smallest size first."""
        scale = self.scale
        await self.take_turns(1, [LOOP, OPERATOR] * scale.single_turns, range(scale.singles))
        await self.take_turns(scale.some, [LOOP, OPERATOR, OPERATOR, LOOP], range(scale.some))
        await self.take_turns(scale.many, [LOOP, OPERATOR, LOOP], range(scale.many), self.rest_and_restart)

    async def take_turns(
        self, size: int, order: Sequence[str], numbers: Sequence[int],
        at_end: Callable[[Side], Awaitable[None]] | None = None,
    ) -> None:
        """One turn after the other, and `at_end` of each of the operator's while its resources are there."""
        for turn, name in enumerate(order):
            async with (looping if name == LOOP else operating)(self.operator) as side:
                await self.warm_up(side, f"warm-{size}-{turn}")
                await self.measure(side, size, [f"{name}-{size}-{turn}-{number}" for number in numbers])
                if at_end and name == OPERATOR:
                    await at_end(side)
            await self.stage.clear()

    async def warm_up(self, side: Side, name: str) -> None:
        """One resource that is not counted: connections are made, and code is run for the first time."""
        await self.stage.create([name], side.tell)
        if side.name == OPERATOR:
            self.found.memory.setdefault("emptyMib", side.steady_mib())

    async def measure(self, side: Side, size: int, serves: Sequence[str]) -> None:
        """Create, and as far as it is the operator's business, edit and delete."""
        if size == 1:
            for one in serves:
                await self.act(side, size, [one])
        else:
            await self.act(side, size, serves)

    async def act(self, side: Side, size: int, serves: Sequence[str]) -> None:
        """Create, and as far as it is the operator's business, edit and delete."""
        before = side.cpu_s()
        created = await self.stage.create(serves, side.tell)
        self.found.add(size, side.name, created, side.cpu_s() - before)
        self.tell(f"{len(serves)} made by the {side.name}", created)
        if side.name == OPERATOR:
            edited = await self.stage.edit(serves, 32)
            self.tell(f"{len(serves)} edited", edited)
            deleted = await self.stage.delete_children(serves)
            self.tell(f"{len(serves)} Deployments deleted by hand", deleted)
            self.found.edit.setdefault(size, []).append(edited)
            self.found.deletion.setdefault(size, []).append(deleted)

    async def rest_and_restart(self, side: Side) -> None:
        """What it does when there is nothing to do, and what a new process does with everything that is there."""
        await self.stage.quiet(5.0)
        self.found.memory["peakMib"] = side.peak_mib()
        began, cpu_s = time.time(), side.cpu_s()
        await asyncio.sleep(self.scale.idle_s)
        self.found.idle |= {"cpuS": round(side.cpu_s() - cpu_s, 2), "seconds": self.scale.idle_s}
        self.found.idle_window = began, time.time()
        self.found.memory["steadyMib"] = side.steady_mib()
        self.progress(f"at rest: {self.found.idle}, {self.found.memory}")
        await self.restart_unchanged()
        await self.restart_with_new()

    async def restart_unchanged(self) -> None:
        """The operator is killed, and a new process finds everything as it should be."""
        self.operator.kill()
        await self.stage.quiet()
        began, wall = time.monotonic(), time.time()
        await asyncio.to_thread(self.operator.start)
        side = side_of(self.operator)
        while self.operator.count(RECONCILES) < self.resources:
            await asyncio.sleep(POLL_S)
        self.found.restart |= {"lookedAtS": round(time.monotonic() - began, 1), "cpuS": round(side.cpu_s(), 2)}
        await asyncio.sleep(FIRST_RESYNC_S)
        await self.stage.quiet()
        self.found.memory["restartPeakMib"] = side.peak_mib()
        self.found.restart_window = wall, time.time()
        self.progress(f"restarted: {self.found.restart}, {self.found.memory}")

    async def restart_with_new(self) -> None:
        """The same again, and as it begins somebody makes a resource, whose name is the last of all."""
        self.operator.kill()
        await self.stage.quiet()
        starting = asyncio.create_task(asyncio.to_thread(self.operator.start))
        new = await self.stage.create(["zz-new"], lambda _: None)
        await starting
        self.found.restart |= {"newS": round(new.total_s, 1)}
        self.tell("a new resource at a restart", new)

    @property
    def resources(self) -> int:
        """How many there are in the operator's last turn: those that are measured, and the one that warmed it up."""
        return self.scale.many + 1

    def tell(self, what: str, burst: Burst) -> None:
        """One line of progress."""
        self.progress(f"{what}: {json.dumps(spread(burst.seconds))}, all after {burst.total_s:.1f} s")


async def measure(scale: Scale, progress: Progress) -> Figures:
    """Everything of one run, with a control plane of its own."""
    with tempfile.TemporaryDirectory(prefix="dss-bench-") as name:
        folder = Path(name)
        with ground(folder / "ground", copied_source(folder)) as there:
            operator = there.operator("operator-1")
            progress("the control plane runs")
            async with stage(there) as made:
                bench = Bench(made, operator, scale, progress, Found())
                await bench.run()
            progress("reading the audit log")
            records = there.asked(operator)
    return summary(bench.found, records, bench.resources)


def run(progress: Progress, *, quick: bool = False) -> Figures:
    """Measure everything: a quarter of an hour, or two minutes."""
    return asyncio.run(measure(QUICK if quick else Scale(), progress))
