"""What a resource says: read with defaults, refused with the field and the next step, and what of it makes the pods."""

import re
from typing import Annotated, Any

import pytest

from deepseekserve import api
from deepseekserve.api.forms import Whole
from deepseekserve.api.group import Group
from deepseekserve.api.marking import Live, Rolling, marked
from tests.edits import EDITS, NOT_SHOWN, Edit
from tests.specs import ACCEPTED, MINIMAL, REFUSED, SpecCase, merged

METADATA = {"name": "r1", "namespace": "models", "uid": "u-1", "generation": 3, "labels": {"a": "b"}}
REFUSED_BY_FIELD = [case for case in REFUSED if case.operator]
REFUSED_BY_SERVER = [case for case in REFUSED if not case.operator]

def spec(changes: Any = None) -> api.Spec:
    return api.parse_spec(merged(MINIMAL, changes or {}))


# Reading

def test_a_resource_is_read_with_its_metadata_its_spec_and_its_status() -> None:
    serve = api.parse({"metadata": METADATA, "spec": MINIMAL, "status": {"observedGeneration": 2, "phase": "Serving"}})
    assert (serve.metadata.name, serve.metadata.namespace, serve.metadata.uid, serve.metadata.generation) == (
        "r1", "models", "u-1", 3)
    assert serve.metadata.deletion_timestamp is None
    assert serve.spec.model.source == "hf://a/b"
    assert serve.status.phase == "Serving"


def test_everything_has_a_default_but_the_source() -> None:
    bare = spec()
    assert (bare.engine.device, bare.engine.max_model_len, bare.replicas, bare.suspended) == ("GPU", "Auto", 1, False)
    assert (bare.startup.stall_seconds, bare.rollout.drain_seconds) == (600, 60)
    assert (bare.resources.gpu.count, bare.engine.memory_utilization_percent, bare.engine.kv_cache_memory) == (
        None, None, None), "these depend on the device"


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_a_right_spec_is_read(case: SpecCase) -> None:
    assert api.parse_spec(case.spec)


@pytest.mark.parametrize("case", REFUSED_BY_FIELD, ids=str)
def test_a_wrong_field_is_refused_with_its_name_and_what_to_set(case: SpecCase) -> None:
    with pytest.raises(api.InvalidSpec, match=f"^{case.operator}"):
        api.parse_spec(case.spec)


@pytest.mark.parametrize("case", REFUSED_BY_SERVER, ids=str)
def test_what_only_the_api_server_can_judge_is_read(case: SpecCase) -> None:
    assert api.parse_spec(case.spec)


def test_fields_of_a_later_release_are_ignored() -> None:
    assert spec({"scaling": {"maxReplicas": 3}, "engine": {"new": 1}}) == spec()


def test_a_null_is_a_field_that_is_not_there() -> None:
    assert spec({"engine": None, "resources": {"gpu": {"count": None}}, "replicas": None}) == spec()


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert spec({"replicas": 2.0, "engine": {"maxModelLen": 4096.0}}) == spec(
        {"replicas": 2, "engine": {"maxModelLen": 4096}})


def test_a_quantity_may_be_a_number_and_is_kept_as_text() -> None:
    assert spec({"resources": {"cpu": 8, "memory": "1.5Gi"}}).resources.cpu == "8"


@pytest.mark.parametrize("raw", [
    None, [], 3, "text", {}, {"model": None}, {"model": []}, {"model": {}}, {"model": {"source": 10**5000}},
    {"model": {"source": "hf://" + "a" * 10**6}}, merged(MINIMAL, {"replicas": 10**5000}),
    merged(MINIMAL, {"engine": {"maxModelLen": 10**5000}}), merged(MINIMAL, {"engine": {"maxModelLen": -(10**5000)}}),
    merged(MINIMAL, {"engine": {"maxModelLen": float("nan")}}), merged(MINIMAL, {"replicas": float("inf")}),
    merged(MINIMAL, {"engine": {"maxModelLen": True}}), merged(MINIMAL, {"replicas": True}),
    merged(MINIMAL, {"resources": {"memory": 10**5000}}), merged(MINIMAL, {"resources": {"memory": "1e999"}}),
    merged(MINIMAL, {"resources": {"memory": {}}}), merged(MINIMAL, {"resources": {"memory": "9" * 10**5}}),
    merged(MINIMAL, {"engine": {"env": [None]}}), merged(MINIMAL, {"engine": {"extraArgs": "--x"}}),
    merged(MINIMAL, {"scheduling": {"nodeSelector": {3: "a"}}}), merged(MINIMAL, {"scheduling": {"nodeSelector": []}}),
    merged(MINIMAL, {"model": {"servedNames": [["a"]]}}), merged(MINIMAL, {"engine": {"image": {1: 2}}}),
], ids=range(27))
def test_hostile_input_is_refused_in_one_short_line_that_begins_with_the_field(raw: Any) -> None:
    with pytest.raises(api.InvalidSpec, match=r"^spec[^\n]{1,400}$") as refusal:
        api.parse_spec(raw)
    assert re.search(r"\b(set|give)\b", str(refusal.value))


def test_a_refusal_never_shows_a_value_of_the_environment() -> None:
    with pytest.raises(api.InvalidSpec) as refusal:
        spec({"engine": {"env": [{"name": "A", "value": "secret"}, {"name": "A"}]}})
    assert "secret" not in str(refusal.value)
    with pytest.raises(api.InvalidSpec) as refusal:
        spec({"engine": {"env": "secret"}})
    assert "secret" not in str(refusal.value)


def test_metadata_that_no_api_server_has_stored_is_refused() -> None:
    with pytest.raises(api.InvalidSpec, match=r"^metadata\.uid is missing: set it$"):
        api.parse({"metadata": {"name": "r1", "namespace": "models"}, "spec": MINIMAL})


def test_metadata_and_status_can_be_read_although_the_spec_is_refused() -> None:
    raw = {"metadata": METADATA, "spec": {}, "status": {"observedGeneration": 2}}
    assert api.Metadata.read(raw).name == "r1"
    assert api.Status.read(raw["status"]).observed_generation == 2


# What rolls the pods

def test_every_field_says_whether_an_edit_rolls_the_pods_and_has_an_edit_in_this_table() -> None:
    assert [edit.path for edit in EDITS] == [path for path in api.effects(api.Spec) if path not in NOT_SHOWN]


def test_only_what_says_how_many_pods_there_may_be_can_be_edited_without_new_ones() -> None:
    keeps = {path for path, effect in api.effects(api.Spec).items() if effect is api.Effect.KEEPS}
    assert keeps == {"replicas", "suspended", *NOT_SHOWN}


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_an_edit_rolls_the_pods_exactly_when_its_field_says_so(edit: Edit) -> None:
    before, after = api.parse_spec(edit.before), api.parse_spec(edit.after)
    assert before != after
    rolls = api.effects(api.Spec)[edit.path] is api.Effect.ROLLS
    assert (api.rolling(before) != api.rolling(after)) is rolls
    assert api.same_pods(api.rolling(before), after) is not rolls


def test_the_rolling_fields_are_camel_case_with_defaults_and_without_what_is_not_set() -> None:
    rolling = api.rolling(spec({"engine": {"maxModelLen": 4096}, "replicas": 3}))
    assert rolling["engine"]["maxModelLen"] == 4096
    assert rolling["engine"]["kvCacheDtype"] == "Auto"
    assert "kvCacheMemory" not in rolling["engine"]
    assert "replicas" not in rolling


def test_the_rolling_fields_of_a_spec_are_a_spec_with_the_same_rolling_fields() -> None:
    for case in ACCEPTED:
        rolling = api.rolling(api.parse_spec(case.spec))
        assert api.rolling(api.parse_spec(rolling)) == rolling, case.name


def test_a_field_that_came_with_a_default_since_rolls_nothing() -> None:
    stored = api.rolling(spec())
    del stored["engine"]["kvCacheDtype"], stored["rollout"]
    assert api.same_pods(stored, spec())
    assert not api.same_pods(stored, spec({"engine": {"kvCacheDtype": "FP8"}}))


def test_a_stored_spec_that_is_refused_today_makes_other_pods() -> None:
    assert not api.same_pods({"model": {"source": "ftp://a"}}, spec())
    assert not api.same_pods(None, spec())


def test_a_field_without_a_marking_is_an_error() -> None:
    class Forgotten(Group):
        """A group with a field that says nothing."""

        said: Rolling[int] = 1
        forgotten: int = 1

    unsaid = r"Forgotten\.forgotten does not say whether an edit rolls the pods"
    with pytest.raises(TypeError, match=unsaid):
        api.effects(Forgotten)
    with pytest.raises(TypeError, match=unsaid):
        marked(Forgotten, api.Effect.ROLLS)


def test_a_group_of_fields_that_all_keep_the_pods_is_left_out_of_what_rolls() -> None:
    class Inner(Group):
        """A group without a rolling field."""

        free: Live[Annotated[int, Whole(0, 9)]] = 1

    class Outer(Group):
        """A group of both."""

        inner: Inner = Inner()
        fixed: Rolling[Annotated[int, Whole(0, 9)]] = 1

    assert marked(Outer, api.Effect.ROLLS) == {"fixed": True}
    assert marked(Outer, api.Effect.KEEPS) == {"inner": {"free": True}}
