"""A scripted random walk: what users do to thirty resources, one step after the other, the same for the same seed.

Two steps of one resource are never under way at once, so that the revisions which come to be, and with them the final
state, are the same however long a step takes. Only deletions do not wait.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from deepseekserve.kube import Object
from deepseekserve.kube.kinds import SERVES
from tests.integration.operating import eventually
from tests.soak.ground import NAMESPACE, Ground, placed, settled

INVALID: Object = {"engine": {"extraArgs": ["--max-model-len=5"]}}
CORRECTED: Object = {"engine": {"extraArgs": []}}
SETTLED_S = 120.0


@dataclass(frozen=True)
class Step:
    """One thing that a user does."""

    verb: str                # create, edit or delete
    name: str
    spec: Object

    def take(self, ground: Ground) -> None:
        """Do it, once the step before it, on the same resource, is carried out."""
        if self.verb == "create":
            ground.client.create(SERVES, placed(self.name, **self.spec))
        elif self.verb == "delete":
            ground.client.delete(SERVES, (NAMESPACE, self.name))
        else:
            eventually(lambda: settled(ground.serve(self.name)), f"{self.name} settled", SETTLED_S)
            ground.client.patch(SERVES, (NAMESPACE, self.name), {"spec": self.spec})


def script(seed: int, count: int) -> list[Step]:
    """The steps of `count` resources, shuffled among each other, in order for each."""
    chance = random.Random(seed)
    lives = {f"walk-{n:02}": list(_life(chance, f"walk-{n:02}")) for n in range(count)}
    order = [name for name, steps in lives.items() for _ in steps]
    chance.shuffle(order)
    return [lives[name].pop(0) for name in order]


def _life(chance: random.Random, name: str) -> Iterator[Step]:
    """Made and edited; one in three is deleted, one in five made again and edited once more."""
    yield from _made_and_edited(chance, name, chance.randint(4, 7))
    if chance.random() < 1 / 3:
        yield Step("delete", name, {})
        if chance.random() < 3 / 5:
            yield from _made_and_edited(chance, name, 2)


def _made_and_edited(chance: random.Random, name: str, edits: int) -> Iterator[Step]:
    yield Step("create", name, {"replicas": chance.randint(0, 2)})
    yield from chain.from_iterable(chance.choice(_EDITS)(chance, name) for _ in range(edits))


def _variable(chance: random.Random, name: str) -> list[Step]:
    """A new template, or one that was there before."""
    return [Step("edit", name, {"engine": {"env": [{"name": "STEP", "value": str(chance.randint(0, 3))}]}})]


def _scale(chance: random.Random, name: str) -> list[Step]:
    return [Step("edit", name, {"replicas": chance.randint(0, 3)})]


def _restart(chance: random.Random, name: str) -> list[Step]:
    return [Step("edit", name, {"restartedAt": f"2026-11-24T12:00:{chance.randint(0, 59):02}Z"})]


def _suspend(_: random.Random, name: str) -> list[Step]:
    return [Step("edit", name, {"suspended": True}), Step("edit", name, {"suspended": False})]


def _err(_: random.Random, name: str) -> list[Step]:
    return [Step("edit", name, INVALID), Step("edit", name, CORRECTED)]


_Edit = Callable[[random.Random, str], list[Step]]
_EDITS: tuple[_Edit, ...] = (_variable, _variable, _scale, _restart, _suspend, _err)
