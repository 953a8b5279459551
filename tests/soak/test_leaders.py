"""Two replicas: one acts, the other takes over from a leader that was killed or stopped, and never do both act."""

import itertools
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from deepseekserve.kube.kinds import SERVES
from tests.integration.operating import Operator, eventually
from tests.soak.ground import FORBIDDEN, NAMESPACE, Ground, placed, served
from tests.soak.kubelet import played
from tests.soak.report import Section

RESOURCES = 20
ROUNDS = ("killed", "stopped", "stopped") * 3
TAKEN_OVER_S = 20.0
AT_WORK_S = 0.8             # a leader that was given work for all resources is in the middle of it for so long

pytestmark = pytest.mark.timeout(1800)


@dataclass(frozen=True)
class Term:
    """The writes of one operator, from the first to the last."""

    identity: str
    first: float
    last: float
    writes: int

    def __str__(self) -> str:
        first, last = (f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f}"[:-3] for at in (self.first, self.last))
        return f"{self.identity}: {self.writes} writes, {first} to {last}"


def test_one_acts_and_the_other_takes_over_within_20_s_and_never_both(
    ground: Ground, chance: random.Random, section: Section,
) -> None:
    numbers = itertools.count(1)

    def replica() -> Operator:
        made = ground.operator(f"operator-{next(numbers)}")
        made.start()
        return made

    with played(ground.client):
        leader = replica()
        eventually(leader.leads, "the first replica leads")
        begin(ground)
        section.did(f"two replicas (Lease of 15 s), each with a token of its own; {RESOURCES} resources that serve")
        for number, how in enumerate(ROUNDS, 1):
            standby = replica()
            edit(ground, str(number))
            threading.Event().wait(chance.uniform(0, AT_WORK_S))
            loss = {"killed": killed, "stopped": stopped}[how]
            loss(ground, section, leader, standby)
            leader = standby
        section.did(f"the leader {ROUNDS.count('killed')} times killed (-9) and {ROUNDS.count('stopped')} times "
                    "stopped, each time at work on all resources; a stopped one continued amid the other one's work")
    judge(ground, section)


def begin(ground: Ground) -> None:
    """Make the resources, and wait until they serve."""
    for number in range(RESOURCES):
        ground.client.create(SERVES, placed(f"led-{number}"))
    at_rest(ground)


def edit(ground: Ground, value: str) -> None:
    """Give each resource a new template."""
    for made in ground.client.list(SERVES):
        change = {"spec": {"engine": {"env": [{"name": "STEP", "value": value}]}}}
        ground.client.patch(SERVES, (NAMESPACE, made["metadata"]["name"]), change)


def at_rest(ground: Ground) -> None:
    """Wait until each resource serves what it was asked to."""
    eventually(lambda: all(served(r) for r in ground.client.list(SERVES)), "everything serves", 120)


def killed(ground: Ground, section: Section, leader: Operator, standby: Operator) -> None:
    """kill -9, and nothing else."""
    taken_over(section, standby, leader.kill, "killed")
    at_rest(ground)


def stopped(ground: Ground, section: Section, leader: Operator, standby: Operator) -> None:
    """SIGSTOP; continued in the middle of the other one's work, it ends by itself."""
    process = leader.process
    assert process
    taken_over(section, standby, lambda: process.send_signal(signal.SIGSTOP), "stopped")
    eventually(lambda: ground.writes(standby), "the new leader writes")
    continued = time.time()
    process.send_signal(signal.SIGCONT)
    code = process.wait(timeout=10)
    late = [record for record in ground.writes(leader) if record.at >= continued]
    section.progress(f"continued: exit code {code}, {len(late)} writes")
    assert code == 1
    assert late == []
    at_rest(ground)


def taken_over(section: Section, standby: Operator, lose: Callable[[], object], how: str) -> None:
    """Lose the leader; the standby leads within 20 s."""
    lose()
    began = time.monotonic()
    eventually(standby.leads, f"{standby.identity} leads", TAKEN_OVER_S)
    seconds = time.monotonic() - began
    known = section.figures.get(f"taken over, {how} (s)", "")
    section.found(f"taken over, {how} (s)", f"{known} {seconds:.1f}".strip())


def judge(ground: Ground, section: Section) -> None:
    """What the audit log says of all of them."""
    terms = [term_of(ground, operator) for operator in ground.operators]
    for term in terms:
        section.progress(str(term))
    overlaps = [f"{one} / {other}" for one, other in itertools.pairwise(terms) if other.first <= one.last]
    section.found("terms", len(terms))
    section.found("writes", sum(term.writes for term in terms))
    section.found("overlapping terms", len(overlaps))
    between = min(other.first - one.last for one, other in itertools.pairwise(terms))
    section.found("shortest time between two terms (s)", f"{between:.2f}")
    assert overlaps == []
    assert ground.bugs(FORBIDDEN) == []


def term_of(ground: Ground, operator: Operator) -> Term:
    """All that an operator has written."""
    written = ground.writes(operator)
    times = [record.at for record in written]
    return Term(operator.identity, min(times), max(times), len(written))
