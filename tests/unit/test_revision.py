"""Which template runs: the stored one that the spec means, or a new one; and which may go."""

from dataclasses import replace
from typing import Any

import pytest

from deepseekserve import engine, names, revision
from deepseekserve.agent.reasons import Phase
from deepseekserve.facts import Took
from deepseekserve.revision import Revision
from tests.golden import cases


def stored(case: str = "gpu", number: int = 1, **groups: Any) -> Revision:
    """A revision as it comes back from the API server."""
    resource = cases.serve(case, groups)
    raw = revision.manifest(replace(cases.first_revision(resource), number=number), resource)
    raw["metadata"]["creationTimestamp"] = "2026-11-24T12:00:00Z"
    found = revision.parse(raw)
    assert found
    return found


def made(*others: Revision, **groups: Any) -> Revision:
    resource = cases.serve("gpu", groups)
    return revision.make(resource, cases.first_revision(resource).workloads, others)


def numbered(number: int, *, good: bool = False) -> Revision:
    return replace(stored(), name=f"gpu-{number}", number=number, good=good)


def pruned(revisions: list[Revision], current: str | None, last_good: str | None, keep: int = 2) -> list[str]:
    return [r.name for r in revision.prune(revisions, current=current, last_good=last_good, keep=keep)]


# Storing

def test_a_revision_survives_being_stored() -> None:
    resource = cases.serve("gpu")
    first = cases.first_revision(resource)
    for original in (first, replace(first, good=True)):
        found = revision.parse(revision.manifest(original, resource))
        assert found == original


def test_a_revision_keeps_what_was_read_of_its_model_and_knows_what_its_engine_is_started_with() -> None:
    resource = cases.serve("gpu")
    original = replace(cases.first_revision(resource), read='{"schema": 1}')
    found = revision.parse(revision.manifest(original, resource))
    assert found == original
    assert found.arguments == tuple(engine.argv(resource))
    assert replace(original, workloads=()).arguments == ()


def test_an_edit_that_rolls_nothing_means_the_same_spec() -> None:
    plain = revision.spec_hash(cases.serve("gpu"))
    assert revision.spec_hash(cases.serve("gpu", {"replicas": 3, "rollout": {"admission": "Warn"}})) == plain
    assert revision.spec_hash(cases.serve("gpu", {"engine": {"maxNumSeqs": 3}})) != plain


def test_a_stored_revision_is_named_and_labelled_by_its_hash() -> None:
    manifest = revision.manifest(stored(), cases.serve("gpu"))
    labels = manifest["metadata"]["labels"]
    assert manifest["metadata"]["name"] == f"gpu-{labels['deepseekserve.io/revision']}"
    assert len(labels["deepseekserve.io/revision"]) == 10
    assert "deepseekserve.io/good" not in labels
    assert manifest["data"]["schema"] == 1


def test_writing_a_revision_does_not_share_its_template() -> None:
    original = stored()
    manifest = revision.manifest(original, cases.serve("gpu"))
    manifest["data"]["workloads"][0]["template"]["metadata"]["labels"]["x"] = "y"
    assert "x" not in original.workloads[0]["template"]["metadata"]["labels"]


def broken(**changes: Any) -> dict[str, Any]:
    raw = revision.manifest(cases.first_revision(cases.serve("gpu")), cases.serve("gpu"))
    data = {**raw["data"], **changes.pop("data", {})} if isinstance(changes.get("data", {}), dict) else None
    return {**raw, "data": data, **changes}


@pytest.mark.parametrize("raw", [
    {},
    {"metadata": None, "data": {"schema": 1}},
    broken(data="text"),
    broken(data={"schema": 2}),
    broken(data={"spec": "text"}),
    broken(data={"workloads": {}}),
    broken(data={"workloads": []}),
    broken(data={"workloads": ["text"]}),
    broken(data={"workloads": [{"kind": "StatefulSet", "name": "gpu", "template": {}}]}),
    broken(data={"workloads": [{"kind": "Deployment", "name": "gpu", "template": {"metadata": {"labels": {}}}}]}),
    broken(data={"workloads": [{
        "kind": "Deployment", "name": "gpu", "template": {"metadata": {"labels": {}}, "spec": "text"},
    }]}),
    broken(data={"workloads": [{
        "kind": "Deployment", "name": "gpu",
        "template": {"metadata": {"labels": {}}, "spec": {"containers": [], "volumes": ["text"]}},
    }]}),
    broken(metadata={"name": "gpu-1", "labels": None}),
    broken(metadata={"name": "gpu-1", "labels": {}}),
])
def test_what_is_not_a_revision_of_ours_is_no_revision(raw: dict[str, Any]) -> None:
    assert revision.parse(raw) is None


def test_a_revision_without_a_number_is_the_oldest() -> None:
    found = revision.parse(broken(revision=None))
    assert found
    assert found.number == 0


# Choosing

def test_the_stored_revision_that_the_spec_means_is_current() -> None:
    other = stored(number=2, engine={"maxModelLen": 4096})
    assert revision.choose(cases.serve("gpu"), [stored(), other]) == stored()


def test_an_edit_of_a_field_that_does_not_roll_keeps_the_revision() -> None:
    assert revision.choose(cases.serve("gpu", {"replicas": 5, "suspended": True}), [stored()]) == stored()


def test_an_edit_of_a_field_that_rolls_needs_a_new_revision() -> None:
    assert revision.choose(cases.serve("gpu", {"engine": {"maxModelLen": 4096}}), [stored()]) is None


def test_a_default_that_the_stored_spec_does_not_know_changes_nothing() -> None:
    older = stored()
    spec = {**older.spec, "startup": {}, "rollout": {}}
    assert revision.choose(cases.serve("gpu"), [replace(older, spec=spec)]) == replace(older, spec=spec)


def test_a_stored_spec_that_todays_rules_refuse_is_not_the_live_one() -> None:
    older = stored()
    refused = replace(older, spec={**older.spec, "model": {"source": 7}})
    assert revision.choose(cases.serve("gpu"), [refused]) is None


def test_of_two_that_mean_the_same_the_newest_wins() -> None:
    older, newer = stored(number=1), stored(number=2)
    assert revision.choose(cases.serve("gpu"), [newer, older]) == newer


def test_with_nothing_stored_there_is_nothing_to_choose() -> None:
    assert revision.choose(cases.serve("gpu"), []) is None


# Making

def test_the_same_spec_makes_the_same_name_and_another_spec_another() -> None:
    assert made().name == made().name
    assert made(engine={"maxModelLen": 4096}).name != made().name


def test_the_name_does_not_depend_on_what_renders_the_template() -> None:
    resource = cases.serve("gpu")
    assert revision.make(resource, [{"kind": "Deployment"}], []).name == made().name


def test_a_new_revision_has_the_highest_number_and_has_not_served() -> None:
    new = made(stored(number=4, engine={"maxModelLen": 4096}), stored(number=2, engine={"maxModelLen": 8192}))
    assert (new.number, new.good, new.created) == (5, False, "")


def test_a_name_that_is_taken_is_not_used_again() -> None:
    first = made()
    second = made(first)
    third = made(first, second)
    assert len({first.name, second.name, third.name}) == 3
    assert third.name == names.revision_name("gpu", third.hash)


# What is learned of it

TOOK = Took("2026-11-24T12:00:00Z", {Phase.STARTING: 20.0, Phase.LOADING_WEIGHTS: 60.0})


def manifest() -> dict[str, Any]:
    return revision.manifest(stored(), cases.serve("gpu"))


def test_what_its_last_start_took_is_written_beside_the_template_together_with_its_goodness() -> None:
    noted = revision.noted(manifest(), TOOK)
    assert noted
    assert noted["data"] == manifest()["data"]
    found = revision.parse(noted)
    assert found == replace(stored(), created="", good=True, took=TOOK)


def test_what_it_says_already_is_not_written_again() -> None:
    noted = revision.noted(manifest(), TOOK)
    assert noted
    assert revision.noted(noted, TOOK) is None
    assert revision.noted(noted, None) is None
    assert revision.noted(noted, replace(TOOK, served="2026-11-24T13:00:00Z")) is None


def test_a_start_that_took_longer_is_written_and_what_others_wrote_stays() -> None:
    before = revision.noted(manifest(), TOOK)
    assert before
    before["metadata"]["annotations"]["theirs"] = "x"
    slower = Took("2026-11-24T13:00:00Z", {Phase.STARTING: 20.0, Phase.LOADING_WEIGHTS: 90.0})
    noted = revision.noted(before, slower)
    assert noted
    assert noted["metadata"]["annotations"] == {"theirs": "x", names.ANNOTATION_TOOK: slower.text}


def test_a_revision_that_serves_without_a_word_of_its_agent_is_good_all_the_same() -> None:
    noted = revision.noted(manifest(), None)
    assert noted
    assert noted["metadata"]["labels"][names.LABEL_GOOD] == "true"
    assert noted["metadata"]["annotations"] == {}


def test_a_new_revision_is_expected_to_take_what_the_newest_one_like_it_took() -> None:
    slower = replace(TOOK, seconds={Phase.STARTING: 99.0})
    olds = [replace(stored(number=1), took=slower), replace(stored(number=2), took=TOOK), stored(number=3)]
    new = made(*olds, engine={"maxModelLen": 4096}, resources={"memory": "99Gi"})
    assert revision.informed(new, olds).took == TOOK
    assert revision.informed(replace(new, took=slower), olds).took == slower
    assert revision.informed(new, []).took is None


@pytest.mark.parametrize("groups", [
    {"model": {"source": "hf://deepseek-ai/another"}}, {"engine": {"image": "another"}},
    {"engine": {"enforceEager": True}}, {"resources": {"gpu": {"count": 2}}},
    {"scheduling": {"nodeSelector": {"kind": "fast"}}},
])
def test_another_model_image_or_kind_of_node_teaches_nothing(groups: dict[str, Any]) -> None:
    old = replace(stored(), took=TOOK)
    assert revision.informed(made(old, **groups), [old]).took is None


# Pruning

def test_the_newest_old_revisions_are_kept() -> None:
    assert pruned([numbered(n) for n in (3, 1, 5, 2, 4)], current="gpu-5", last_good=None) == ["gpu-2", "gpu-1"]


def test_the_last_good_revision_is_never_pruned() -> None:
    revisions = [numbered(n, good=n < 3) for n in range(1, 7)]
    assert pruned(revisions, current="gpu-6", last_good="gpu-1", keep=0) == ["gpu-5", "gpu-4", "gpu-3"]


def test_the_newest_good_revision_is_kept_even_when_the_status_is_lost() -> None:
    assert "gpu-2" not in pruned([numbered(n, good=n == 2) for n in range(1, 7)], current=None, last_good=None, keep=0)


def test_ten_are_kept() -> None:
    gone = revision.prune([numbered(n) for n in range(1, 14)], current="gpu-13", last_good=None)
    assert [r.name for r in gone] == ["gpu-2", "gpu-1"]


# ConfigMaps

def test_the_agents_of_all_stored_revisions_are_named() -> None:
    other = stored("cpu-tiny")
    assert revision.referred_config_maps([stored(), other]) == {"gpu-agent-0123456789", "cpu-tiny-agent-0123456789"}
    assert revision.referred_config_maps([]) == frozenset()
