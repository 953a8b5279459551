"""What the cache remembers: the newest body of everything, ghosts gone, nothing brought back from the dead."""

from typing import Any

from deepseekserve import names
from deepseekserve.kube import Key, Kind
from deepseekserve.kube.kinds import DEPLOYMENTS, PODS, SERVES
from deepseekserve.observe import Cache

TINY = Key("demo", "tiny")


def thing(name: str, version: int, *, of: str = "tiny", uid: str = "uid-1", **more: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"namespace": "demo", "name": name, "uid": uid, "resourceVersion": str(version)}
    if of:
        metadata["labels"] = {names.LABEL_NAME: of}
    return {"metadata": metadata, **more}


def pods(cache: Cache, owner: Key = TINY) -> list[str]:
    return [pod["metadata"]["name"] for pod in cache.children(PODS, owner)]


def cache(*things: dict[str, Any], kind: Kind = PODS) -> Cache:
    filled = Cache()
    for item in things:
        filled.put(kind, item)
    return filled


def relist(filled: Cache, kind: Kind, *listed: dict[str, Any], as_of: int) -> None:
    for item in listed:
        filled.put(kind, item)
    filled.sweep(kind, {Key("demo", item["metadata"]["name"]) for item in listed}, as_of=as_of)


def test_children_are_found_by_the_name_of_their_resource() -> None:
    filled = cache(thing("b", 1), thing("a", 2), thing("c", 3, of="other"))
    assert pods(filled) == ["a", "b"]
    assert pods(filled, Key("elsewhere", "tiny")) == []


def test_putting_tells_whose_child_it_is() -> None:
    assert Cache().put(PODS, thing("a", 1)) == TINY
    assert Cache().put(PODS, thing("a", 1, of="")) is None
    assert Cache().put(SERVES, thing("tiny", 1, of="")) == TINY


def test_an_older_body_never_replaces_a_newer_one_and_asks_for_no_look() -> None:
    filled = cache(thing("a", 9, spec="new"))
    assert filled.put(PODS, thing("a", 8, spec="old")) is None
    assert filled.put(PODS, thing("a", 9, spec="same")) is None
    assert filled.children(PODS, TINY)[0]["spec"] == "new"
    assert filled.put(PODS, thing("a", 10, spec="newest")) == TINY


def test_a_child_that_changes_hands_or_loses_its_label_leaves_its_resource() -> None:
    filled = cache(thing("a", 1))
    assert filled.put(PODS, thing("a", 2, of="other")) == Key("demo", "other")
    assert (pods(filled), pods(filled, Key("demo", "other"))) == ([], ["a"])
    assert filled.put(PODS, thing("a", 3, of="")) == Key("demo", "other")
    assert pods(filled, Key("demo", "other")) == []


def test_a_deletion_forgets_that_very_object_only() -> None:
    filled = cache(thing("a", 5, uid="second"))
    assert filled.drop(PODS, thing("a", 4, uid="first")) == TINY
    assert pods(filled) == ["a"]
    assert filled.drop(PODS, thing("a", 6, uid="second")) == TINY
    assert pods(filled) == []
    assert filled.drop(PODS, thing("a", 6, uid="second")) is None


def test_an_answer_that_comes_after_the_deletion_brings_nothing_back() -> None:
    filled = cache(thing("a", 5))
    filled.drop(PODS, thing("a", 7))
    assert filled.put(PODS, thing("a", 6)) is None
    assert pods(filled) == []
    assert filled.put(PODS, thing("a", 8)) == TINY


def test_a_list_removes_ghosts() -> None:
    filled = cache(thing("a", 1), thing("ghost", 2, uid="uid-2"))
    relist(filled, PODS, thing("a", 1), as_of=9)
    assert pods(filled) == ["a"]


def test_a_list_removes_nothing_that_is_younger_than_itself() -> None:
    filled = cache(thing("young", 12))
    relist(filled, PODS, as_of=9)
    assert pods(filled) == ["young"]


def test_a_list_brings_nothing_back_that_was_deleted_after_it_was_made() -> None:
    filled = cache(thing("a", 1))
    filled.drop(PODS, thing("a", 12))
    relist(filled, PODS, thing("a", 1), as_of=9)
    assert pods(filled) == []
    relist(filled, PODS, thing("a", 20), as_of=30)
    assert pods(filled) == ["a"]


def test_kinds_are_kept_apart() -> None:
    filled = cache(thing("tiny", 1))
    relist(filled, DEPLOYMENTS, as_of=9)
    assert pods(filled) == ["tiny"]
    assert filled.child(DEPLOYMENTS, TINY, "tiny") is None


def test_managed_fields_are_not_kept() -> None:
    body = thing("a", 1)
    body["metadata"]["managedFields"] = [{"manager": "x"}]
    assert "managedFields" not in cache(body).children(PODS, TINY)[0]["metadata"]
    assert "managedFields" in body["metadata"]


def test_resources_are_counted_by_phase() -> None:
    filled = cache(
        thing("tiny", 1, of="", status={"phase": "Serving"}), thing("big", 2, of="", status={"phase": "Serving"}),
        thing("new", 3, of=""), kind=SERVES,
    )
    assert filled.phases() == {"Serving": 2, "Unknown": 1}
    assert set(filled.serves()) == {TINY, Key("demo", "big"), Key("demo", "new")}


def test_those_that_nobody_has_looked_at_since_they_were_made_or_edited_come_first() -> None:
    things = [
        thing("settled", 1, of="", status={"observedGeneration": 2}),
        thing("edited", 2, of="", status={"observedGeneration": 1}),
        thing("old", 3, of="", status={"observedGeneration": 2}),
        thing("made", 4, of=""),
    ]
    for item in things:
        item["metadata"]["generation"] = 2
    found = [key.name for key in cache(*things, kind=SERVES).serves()]
    assert (set(found[:2]), set(found[2:])) == ({"edited", "made"}, {"settled", "old"})
