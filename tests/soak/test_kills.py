"""The operator is killed at random moments, and nothing is lost, doubled or left behind."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepseekserve.kube.kinds import SERVES
from tests.integration.operating import Operator, eventually
from tests.soak.ground import FORBIDDEN, Ground, ground, settled
from tests.soak.history import History, recorded
from tests.soak.kubelet import played
from tests.soak.report import Section
from tests.soak.snapshot import differences, orphans, snapshot
from tests.soak.walk import Step, script

RESOURCES = 30
LONGEST_LIFE_S = 2.5      # after it answers its probes; it leads within one second
CONVERGED_S = 120.0

pytestmark = pytest.mark.timeout(2400)


def test_killed_50_times_it_ends_where_an_undisturbed_run_ends(
    tmp_path: Path, source: Path, chance: random.Random, section: Section, pytestconfig: pytest.Config,
) -> None:
    kills = pytestconfig.getoption("--soak-kills", 50)
    steps = script(chance.randrange(10**6), RESOURCES)
    section.did(f"{RESOURCES} resources created, edited and deleted in {len(steps)} steps, the operator undisturbed")
    with ground(tmp_path / "undisturbed", source) as calm:
        expected, _ = walked(calm, iter(steps), section, [])
    section.did(f"the same steps, the operator killed (-9) {kills} times, within {LONGEST_LIFE_S} s each time")
    with ground(tmp_path / "disturbed", source) as stormy:
        lives = [chance.uniform(0, LONGEST_LIFE_S) for _ in range(kills)]
        found, history = walked(stormy, iter(steps), section, lives)
        doubles, bugs = history.doubles, stormy.bugs(FORBIDDEN)
    different = differences(expected, found)
    section.found("kills", kills)
    section.found("objects compared", len(expected))
    section.found("differences", len(different))
    section.found("doubles at any moment", len(doubles))
    section.found("states seen by the own watch", history.events)
    section.found("revisions, Deployments and ReplicaSets made", dict(history.made))
    assert different == []
    assert doubles == []
    assert bugs == []


def walked(
    there: Ground, steps: Iterator[Step], section: Section, lives: list[float],
) -> tuple[dict[str, object], History]:
    """Take all steps, the operator killed after each of the given seconds; the final state, and all before it."""
    operator = there.operator("operator-1")
    with played(there.client), recorded(there.kubectl) as history:
        todo = list(steps)
        for number, life_s in enumerate(lives):
            # Every third life is spent on what the one before left, and ends while it begins.
            share = 0 if number % 3 == 2 else len(todo) // (len(lives) - number)
            live_once(there, operator, [todo.pop(0) for _ in range(share)], life_s)
            if number % 10 == 9:
                section.progress(f"killed {number + 1} times, {len(todo)} steps to go")
        operator.start()
        for step in todo:
            step.take(there)
        eventually(lambda: is_at_rest(there), "every resource settled and nothing orphaned", CONVERGED_S)
        return snapshot(there.client), history


def live_once(there: Ground, operator: Operator, steps: list[Step], life_s: float) -> None:
    """Start the operator, take the steps, and kill it so much later."""
    operator.start()
    for step in steps:
        step.take(there)
    threading.Event().wait(life_s)
    operator.kill()


def is_at_rest(there: Ground) -> bool:
    """Every resource is settled, and garbage collection has been everywhere."""
    return all(settled(resource) for resource in there.client.list(SERVES)) and not orphans(there.client)
