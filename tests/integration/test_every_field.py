"""Every field of the CRD on a real API server: an edit shows, rolls the pods if its field says so only, and goes back.

The table is tests/edits.py. One resource per field; all are made, then all edited, then all edited back.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from deepseekserve import api, names
from tests.edits import EDITS, NOT_SHOWN, Edit
from tests.integration.operating import Operator, eventually
from tests.lab.kubectl import Kubectl, Object

NAMESPACE = "every-field"


@dataclass(frozen=True)
class Moment:
    """One resource's Deployment, and how many revisions are kept, once the operator has answered an edit."""

    deployment: Object
    revisions: int

    @property
    def template(self) -> str:
        """All that makes the pods, in one text."""
        return json.dumps(self.deployment["spec"]["template"], sort_keys=True)

    @property
    def revision(self) -> str:
        """Hash of the revision that the pods are of."""
        return str(self.deployment["spec"]["template"]["metadata"]["labels"][names.LABEL_REVISION])


Rounds = Mapping[str, tuple[Moment, Moment, Moment]]


def name(edit: Edit) -> str:
    return edit.path.replace(".", "-").lower()


def put(kubectl: Kubectl, specs: Mapping[str, Any]) -> None:
    """Make each resource's whole spec this one, as an edit in a repository would."""
    head = {"apiVersion": names.API_VERSION, "kind": names.KIND}
    kubectl.apply(*({**head, "metadata": {"name": name}, "spec": spec} for name, spec in specs.items()))


def settled(kubectl: Kubectl) -> dict[str, Moment]:
    """Every resource once all statuses speak of the resources as they are now."""
    def look() -> bool:
        serves = kubectl.list("dss")
        return len(serves) == len(EDITS) and all(
            serve["status"]["observedGeneration"] == serve["metadata"]["generation"] for serve in serves)
    eventually(look, "statuses after an edit")
    kept = Counter(r["metadata"]["labels"][names.LABEL_NAME] for r in kubectl.list("controllerrevisions"))
    return {d["metadata"]["name"]: Moment(d, kept[d["metadata"]["name"]]) for d in kubectl.list("deployments")}


@pytest.fixture(scope="module")
def rounds(operator: Operator, kubectl: Kubectl) -> Iterator[Rounds]:
    """Each resource before its edit, after it, and after the edit back."""
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    here, moments = replace(kubectl, namespace=NAMESPACE), []
    base, edited = {name(edit): edit.before for edit in EDITS}, {name(edit): edit.after for edit in EDITS}
    for specs in (base, edited, base):
        put(here, specs)
        moments.append(settled(here))
    before, after, back = moments
    assert not operator.has_ended()
    yield {each: (before[each], after[each], back[each]) for each in before}
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_the_table_has_an_edit_of_every_field_of_the_resource() -> None:
    assert [edit.path for edit in EDITS] == [path for path in api.effects(api.Spec) if path not in NOT_SHOWN]


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_an_edit_shows_and_goes_back(rounds: Rounds, edit: Edit) -> None:
    assert [edit.seen(moment.deployment) for moment in rounds[name(edit)]] == [False, True, False]


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_an_edit_rolls_the_pods_exactly_if_its_field_says_so(rounds: Rounds, edit: Edit) -> None:
    rolls = api.effects(api.Spec)[edit.path] is api.Effect.ROLLS
    before, after, _ = rounds[name(edit)]
    assert (after.template != before.template, after.revision != before.revision) == (rolls, rolls)
    assert after.revisions - before.revisions == (1 if rolls else 0)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_the_edit_back_returns_to_the_old_revision_and_to_pods_that_are_the_same_byte_for_byte(
    rounds: Rounds, edit: Edit,
) -> None:
    before, after, back = rounds[name(edit)]
    assert back.template == before.template
    assert back.revisions == after.revisions
