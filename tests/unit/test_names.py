"""Names of children, and who owns what."""

from types import SimpleNamespace

import pytest

from deepseekserve import names

OWNER = SimpleNamespace(name="chat", namespace="team-a", uid="uid-1")


def test_a_revision_and_an_agents_config_map_are_named_after_the_resource() -> None:
    assert names.revision_name("chat", "0a1b2c3d4e") == "chat-0a1b2c3d4e"
    assert names.agent_config_map("chat", "0a1b2c3d4e") == "chat-agent-0a1b2c3d4e"


def test_the_longest_resource_name_leaves_every_childs_name_within_its_bound() -> None:
    longest = "a" * 63
    assert len(names.agent_config_map(longest, "0" * 10)) <= 253
    assert len(names.labels(longest)[names.LABEL_NAME]) <= 63
    job = names.reader_job(SimpleNamespace(name=longest, namespace="a", uid="u"), "0" * 10)
    assert len(job) <= 63


def test_each_spec_of_each_resource_has_a_reader_of_its_own() -> None:
    other = SimpleNamespace(name="chat", namespace="team-a", uid="uid-2")
    assert names.reader_job(OWNER, "1").startswith("chat-read-")
    assert len({names.reader_job(OWNER, "1"), names.reader_job(OWNER, "2"), names.reader_job(other, "1")}) == 3


def test_clients_find_the_model_under_the_services_name() -> None:
    assert names.service_url("chat", "team-a") == "http://chat.team-a.svc:8000/v1"


def test_a_child_is_owned_by_the_resource_alone_and_has_only_our_label() -> None:
    metadata = names.child_metadata(OWNER, "chat-agent-1")
    assert metadata == {
        "name": "chat-agent-1",
        "namespace": "team-a",
        "labels": {"deepseekserve.io/name": "chat"},
        "ownerReferences": [{
            "apiVersion": "deepseekserve.io/v1alpha1", "kind": "DeepSeekServe", "name": "chat", "uid": "uid-1",
            "controller": True, "blockOwnerDeletion": True,
        }],
    }
    assert names.is_ours(metadata, "uid-1")


@pytest.mark.parametrize("metadata", [
    {},
    {"ownerReferences": None},
    {"ownerReferences": "garbage"},
    {"ownerReferences": ["garbage"]},
    {"ownerReferences": [{"uid": "uid-1"}]},
    {"ownerReferences": [{"uid": "uid-1", "controller": False}]},
    {"ownerReferences": [{"uid": "uid-2", "controller": True}]},
])
def test_an_object_that_another_controls_or_nobody_is_not_ours(metadata: dict[str, object]) -> None:
    assert not names.is_ours(metadata, "uid-1")


def test_an_object_with_several_owners_is_ours_when_we_control_it() -> None:
    owners = [{"uid": "uid-2", "controller": False}, {"uid": "uid-1", "controller": True}]
    assert names.is_ours({"ownerReferences": owners}, "uid-1")
