"""Children that somebody edits or deletes come back, also while the operator is killed; what others own is left alone.

Ten rounds at random. Each ends when everything is as it was before, what others have added to our children included.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from deepseekserve import names
from deepseekserve.kube import Kind, Object
from deepseekserve.kube.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    DISRUPTION_BUDGETS,
    REVISIONS,
    SERVES,
    SERVICE_ACCOUNTS,
    SERVICES,
)
from tests.integration.operating import Operator, eventually
from tests.lab.watch import failed_with
from tests.soak.ground import FORBIDDEN, NAMESPACE, Ground, placed, served
from tests.soak.kubelet import played
from tests.soak.report import Section
from tests.soak.snapshot import differences, orphans, snapshot

RESOURCES = 8
ROUNDS = 10
HANDS = 8                       # edits and deletions of a round
RESYNC_S = 10                   # ConfigMaps and ControllerRevisions are not watched; by default, 600
BACK_S = 60.0

# What others add to our children, and what must stay.
ADDED: dict[Kind, Object] = {
    SERVICES: {"spec": {"sessionAffinity": "ClientIP"}},
    DEPLOYMENTS: {"spec": {"minReadySeconds": 1}},
    SERVICE_ACCOUNTS: {"imagePullSecrets": [{"name": "theirs"}]},
    DISRUPTION_BUDGETS: {},
}
MARKS: Object = {"metadata": {"annotations": {"example.com/note": "mine"}, "labels": {"example.com/team": "ours"}}}
# What nobody but us may decide.
EDITS: dict[Kind, tuple[Object, ...]] = {
    SERVICES: ({"spec": {"selector": {"astray": "yes"}}}, {"spec": {"selector": {names.LABEL_NAME: "other"}}}),
    DEPLOYMENTS: (
        {"spec": {"replicas": 3}}, {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
        {"spec": {"template": {"spec": {"containers": [{"name": "engine", "image": "somebody/else"}]}}}},
    ),
    SERVICE_ACCOUNTS: ({"automountServiceAccountToken": True},),
    DISRUPTION_BUDGETS: ({"spec": {"maxUnavailable": 5}}, {"spec": {"unhealthyPodEvictionPolicy": None}}),
}
UNLABELLED: Object = {"metadata": {"labels": {names.LABEL_NAME: None}}}
KINDS = (*EDITS, CONFIG_MAPS, REVISIONS)

pytestmark = pytest.mark.timeout(1800)


def theirs(kind: Kind, name: str) -> Object:
    """A Service or a Deployment of a user's own."""
    spec: Object = {"ports": [{"port": 80}]}
    if kind is DEPLOYMENTS:
        pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": pod, "replicas": 0}
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}


@dataclass
class Hands:
    """Somebody who edits and deletes other people's children, and puts own things into them."""

    ground: Ground
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    deleted: list[tuple[Kind, str, str]] = field(default_factory=list)      # with the uid of the one that is gone

    def act(self) -> None:
        """Edit or delete a child of a random kind of a random resource."""
        kind, owner = self.chance.choice(KINDS), f"mine-{self.chance.randrange(RESOURCES)}"
        name = self._name(kind, owner)
        live = self.ground.client.get(kind, NAMESPACE, name)
        if live is None:                                        # deleted a moment ago
            return
        if kind not in EDITS or self.chance.random() < 0.5:
            self.ground.client.delete(kind, (NAMESPACE, name))
            self.deleted.append((kind, name, live["metadata"]["uid"]))
            self.done[f"{kind.kind} deleted"] += 1
        else:
            self._merge(kind, name, self.chance.choice((*EDITS[kind], UNLABELLED)))
            self.done[f"{kind.kind} edited"] += 1

    def add(self, kind: Kind, name: str) -> None:
        """Put what is not ours into a child."""
        self._merge(kind, name, {**MARKS, **ADDED[kind]})

    def add_again(self) -> None:
        """The same to what was deleted, once it is back."""
        while self.deleted:
            kind, name, uid = self.deleted.pop()
            eventually(lambda: self._is_back(kind, name, uid), f"{kind.kind} {name} again", BACK_S)  # noqa: B023
            if kind in ADDED:
                self.add(kind, name)

    def _is_back(self, kind: Kind, name: str, uid: str) -> bool:
        live = self.ground.client.get(kind, NAMESPACE, name)
        return bool(live and live["metadata"]["uid"] != uid)

    def _name(self, kind: Kind, owner: str) -> str:
        if kind is CONFIG_MAPS:
            listed = self.ground.client.list(kind, NAMESPACE, f"{names.LABEL_NAME}={owner}")
            return next((str(found["metadata"]["name"]) for found in listed), "deleted-a-moment-ago")
        if kind is REVISIONS:
            return str((self.ground.serve(owner) or {})["status"]["currentRevision"])
        return owner

    def _merge(self, kind: Kind, name: str, change: Object) -> None:
        strategic = "application/strategic-merge-patch+json"
        self.ground.client.send("PATCH", kind.path(NAMESPACE, name), change, strategic)


def test_what_hands_have_changed_comes_back_and_what_is_theirs_stays(
    ground: Ground, chance: random.Random, section: Section,
) -> None:
    with played(ground.client):
        operator = ground.operator("operator-1", DSS_RESYNC_SECONDS=str(RESYNC_S))
        operator.start()
        hands = Hands(ground, chance)
        strangers = begin(ground, hands)
        section.did(f"{RESOURCES} resources that serve, with fields of others on their children; two more whose name a "
                    "Service and a Deployment of a user's own have")
        before = snapshot(ground.client)
        slowest_s, kills = 0.0, 0
        for number in range(ROUNDS):
            kills += disturbed(hands, operator, chance, kill=number % 2 == 1)
            slowest_s = max(slowest_s, mended(hands, before))
            section.progress(f"round {number + 1}: as before")
        section.did(f"{ROUNDS} rounds of {HANDS} edits and deletions, the operator killed (-9) in {kills} of them")
        section.found("by hand", dict(sorted(hands.done.items())))
        section.found("slowest round until all was as before (s)", f"{slowest_s:.1f}")
        left_alone(ground, strangers)
        section.did("the two resources in conflict deleted: what was the user's own stands as it was, never written")
    assert ground.bugs(FORBIDDEN) == []


def begin(ground: Ground, hands: Hands) -> list[tuple[Kind, Object]]:
    """Make the resources and what others own; the two objects that are none of ours."""
    strangers = [(kind, f"taken-{kind.plural}") for kind in (SERVICES, DEPLOYMENTS)]
    for kind, name in strangers:
        ground.client.create(kind, theirs(kind, name))
    for name in (*(f"mine-{n}" for n in range(RESOURCES)), *(name for _, name in strangers)):
        ground.client.create(SERVES, placed(name))
    eventually(lambda: all(served(ground.serve(f"mine-{n}")) for n in range(RESOURCES)), "everything serves", 60)
    for _, name in strangers:
        eventually(lambda name=name: failed_with("NameConflict")(ground.serve(name) or {}), "the conflict")  # type: ignore[misc]
    for kind in ADDED:
        for number in range(RESOURCES):
            hands.add(kind, f"mine-{number}")
    return [(kind, ground.client.get(kind, NAMESPACE, name) or {}) for kind, name in strangers]


def disturbed(hands: Hands, operator: Operator, chance: random.Random, *, kill: bool) -> bool:
    """One round of hands; the operator is killed in the middle of it, or not, as `kill` says, which is returned."""
    for number in range(HANDS):
        if kill and number == HANDS // 2:
            threading.Event().wait(chance.uniform(0, 0.5))
            operator.kill()
        hands.act()
        threading.Event().wait(chance.uniform(0, 0.2))
    if kill:
        operator.start()
    return kill


def mended(hands: Hands, before: dict[str, Any]) -> float:
    """Seconds until everything is as it was before."""
    began = time.monotonic()
    hands.add_again()
    look: Callable[[], list[str]] = lambda: differences(before, snapshot(hands.ground.client))  # noqa: E731
    try:
        eventually(lambda: not look(), "everything as before", BACK_S)
    except AssertionError as error:
        raise AssertionError(f"{error}: {look()}") from error
    return time.monotonic() - began


def left_alone(ground: Ground, strangers: list[tuple[Kind, Object]]) -> None:
    """Nobody has written what is a user's own, and it outlives the resource of its name."""
    for _, stranger in strangers:
        name = stranger["metadata"]["name"]
        assert failed_with("NameConflict")(ground.serve(name) or {})
        ground.client.delete(SERVES, (NAMESPACE, name))
    eventually(lambda: not orphans(ground.client), "nothing orphaned", BACK_S)
    for kind, stranger in strangers:
        name = stranger["metadata"]["name"]
        live = ground.client.get(kind, NAMESPACE, name)
        assert live
        assert live["metadata"]["resourceVersion"] == stranger["metadata"]["resourceVersion"]
        written = [r for r in ground.writes(ground.operators[0]) if (r.resource, r.name) == (kind.plural, name)]
        assert {r.code for r in written} <= {409}
