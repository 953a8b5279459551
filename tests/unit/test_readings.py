"""What the pod that reads a model says, and how long it is waited for."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deepseekserve import facts
from deepseekserve.facts import kept_reading, parse_reading
from deepseekserve.reader import summary
from deepseekserve.reader.summary import Outcome, Summary
from tests.unit.sizing.models import llama

BEGAN = "2026-11-24T12:00:00Z"
SAID = summary.message(Summary(Outcome.READ, config=llama())).decode()


def at(seconds: float) -> datetime:
    return datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(seconds=seconds)


def pod(state: dict[str, Any] | None = None, created: str = BEGAN, **status: Any) -> dict[str, Any]:
    containers = {"containerStatuses": [{"name": "reader", "state": state}]} if state is not None else {}
    return {"metadata": {"creationTimestamp": created}, "status": {**containers, **status}}


NO_NODE = pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}])


def test_what_was_found_is_read_and_kept() -> None:
    found = parse_reading([pod({"terminated": {"exitCode": 0, "message": SAID}})], BEGAN, at(3))
    assert found.summary
    assert (found.summary.config, found.message, found.waiting, found.why) == (llama(), SAID, False, "")


def test_of_several_pods_the_newest_counts() -> None:
    newer = pod({"terminated": {"exitCode": 0, "message": SAID}}, created="2026-11-24T12:00:09Z")
    older = pod({"terminated": {"exitCode": 1, "message": ""}})
    assert parse_reading([newer, older], BEGAN, at(10)).summary


@pytest.mark.parametrize(("seen", "until_s", "says"), [
    (None, 8, "has no pod"),
    (pod(), 60, "is starting"),
    (pod({"waiting": {"reason": "ContainerCreating"}}), 60, "is starting"),
    (pod({"running": {}}), 60, "are being read"),
    (NO_NODE, 8, "has no node: 0/1 nodes are available"),
    (pod({"waiting": {"reason": "ErrImagePull"}}), 8, "cannot start: ErrImagePull"),
])
def test_a_pod_is_waited_for_longer_when_it_is_on_its_way(
    seen: dict[str, Any] | None, until_s: float, says: str,
) -> None:
    pods = [seen] if seen else []
    for seconds, waits in ((0, True), (until_s - 1, True), (until_s + 1, False)):
        found = parse_reading(pods, BEGAN, at(seconds))
        assert (found.waiting, found.summary) == (waits, None)
        assert says in found.why


@pytest.mark.parametrize(("seen", "says"), [
    (pod({"terminated": {"exitCode": 137, "message": "Killed"}}), "exit code 137"),
    (pod({"terminated": {"exitCode": 0, "message": json.dumps({"schema": 9})}}), "exit code 0"),
    (pod(phase="Failed", reason="DeadlineExceeded"), "DeadlineExceeded"),
    (pod(phase="Failed"), "nobody says why"),
])
def test_a_pod_that_says_nothing_is_not_waited_for(seen: dict[str, Any], says: str) -> None:
    found = parse_reading([seen], BEGAN, at(1))
    assert (found.summary, found.waiting) == (None, False)
    assert says in found.why


def test_without_an_image_nothing_reads() -> None:
    assert not facts.UNREAD.waiting
    assert facts.UNREAD.text == "", "which is no news to keep"
    assert "own image" in facts.UNREAD.why


def test_what_is_kept_says_as_much_as_what_was_found() -> None:
    found = parse_reading([pod({"terminated": {"exitCode": 0, "message": SAID}})], BEGAN, at(3))
    assert kept_reading(found.text) == found
    nothing = parse_reading([NO_NODE], BEGAN, at(11))
    kept = kept_reading(nothing.text)
    assert kept
    assert kept.summary
    assert (kept.summary.config, kept.summary.message) == (None, nothing.why)
    assert (found.has_config, kept.has_config, nothing.has_config) == (True, False, False)
    assert kept_reading("") is None
