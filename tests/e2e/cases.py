"""What the tests of failures share: a mistake, the reason that it must get, and whether it was told well."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.integration.operating import eventually
from tests.lab.kubectl import Kubectl, Object
from tests.lab.watch import condition

FAIL_S = 300  # a failing start takes 10 to 25 s on two idle cores; several start at once, and the machines are shared
# What the sum refuses before any pod must fail in the engine here.
STARTED_ALL_THE_SAME = {"rollout": {"admission": "Warn"}}


@dataclass(frozen=True)
class Case:
    """An edit that cannot work here, the reason it must get, words of the decisive line, fields of the fix."""

    reason: str
    edit: dict[str, Any]
    decisive: str
    says: tuple[str, ...] = ()
    fixes: dict[str, str] = field(default_factory=dict)


def assert_told_everywhere(kubectl: Kubectl, thing: Object, case: Case) -> None:
    """In the failure, in the condition Ready, and in one Event."""
    assert_told_well(thing["status"], case)
    ready = condition(thing, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", case.reason)
    (event,) = eventually(lambda: events(kubectl, thing["metadata"]["name"], case.reason), f"an Event {case.reason}")
    assert event["type"] == "Warning"
    assert thing["status"]["failure"]["message"] in event["message"]


def assert_predicted(thing: Object) -> None:
    """The KV cache holds what was computed before the start."""
    predicted, reported = thing["status"]["sizing"]["kvCacheTokens"], thing["status"]["engine"]["kvCacheTokens"]
    assert reported == pytest.approx(predicted, rel=0.01)


def events(kubectl: Kubectl, name: str, reason: str) -> list[Object]:
    """The Events of a resource that have this reason."""
    ours = f"involvedObject.kind=DeepSeekServe,involvedObject.name={name},reason={reason}"
    found: list[Object] = json.loads(kubectl("get", "events", f"--field-selector={ours}", "-o", "json"))["items"]
    return found


def assert_told_well(status: Object, case: Case) -> None:
    failure = status["failure"]
    assert failure["message"]
    assert failure["remedy"]
    for word in case.says:
        assert word in failure["message"] + failure["remedy"]
    values = {f["field"]: f["value"] for f in failure.get("fixes", [])}
    assert case.fixes.items() <= values.items()
