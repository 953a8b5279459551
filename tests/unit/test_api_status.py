"""What the operator writes into the status, and how it reads back what it or another release has written."""

import pytest
from pydantic import ValidationError

from deepseekserve import api
from deepseekserve.agent.reasons import Phase, Reason

READY = {
    "type": "Ready", "status": "True", "reason": "Serving", "message": "The model answers.",
    "lastTransitionTime": "2026-11-24T12:00:00Z", "observedGeneration": 2,
}


def test_a_resource_that_no_operator_has_seen_has_a_generation_that_never_was() -> None:
    assert api.Status().to_dict() == {"observedGeneration": -1, "conditions": []}
    assert api.Status.read(None) == api.Status()


def test_a_status_is_written_in_camel_case_without_what_is_not_known_and_read_back_the_same() -> None:
    status = api.Status(
        observed_generation=2, phase=Phase.FAILED, ready_replicas=0, conditions=[api.Condition.read(READY)],
        failure=api.Failure(
            reason=Reason.CONTEXT_TOO_LONG, fixes=[api.Fix(field="spec.engine.maxModelLen", value="4096")]),
        engine=api.EngineStatus(max_model_len=4096),
    )
    written = status.to_dict()
    assert written == {
        "observedGeneration": 2, "phase": "Failed", "readyReplicas": 0, "conditions": [READY],
        "failure": {
            "reason": "ContextTooLong", "message": "", "remedy": "",
            "fixes": [{"field": "spec.engine.maxModelLen", "value": "4096", "why": ""}],
        },
        "engine": {"maxModelLen": 4096, "notes": []},
    }
    assert api.Status.read(written) == status


def test_what_a_later_release_has_written_is_read_as_far_as_it_is_understood() -> None:
    status = api.Status.read({
        "observedGeneration": 4, "phase": "Dreaming", "conditions": [READY], "failure": {"reason": "Bored"}, "mood": 3})
    assert status == api.Status(observed_generation=4, conditions=[api.Condition.read(READY)])


@pytest.mark.parametrize("raw", [None, [], "text", {"conditions": 3}, {"startup": {"percent": "much"}}, {"engine": []}])
def test_a_status_of_any_shape_is_read(raw: object) -> None:
    assert api.Status.read(raw) == api.Status()


def test_a_part_without_what_it_must_have_is_no_part() -> None:
    with pytest.raises(ValidationError):
        api.Condition.read({"type": "Ready", "status": "Perhaps"})


def test_texts_and_lists_are_cut_to_what_the_api_server_accepts() -> None:
    failure = api.Failure(
        reason=Reason.UNKNOWN, message="m" * 10_000, log_excerpt="l" * 10_000,
        fixes=[api.Fix(field="f", value="v")] * 100,
    )
    assert (len(failure.message), len(failure.log_excerpt or ""), len(failure.fixes)) == (4096, 8192, 16)
    assert api.EngineStatus(notes=["n" * 2000] * 50).notes == ["n" * 1024] * 16


def test_the_percentage_of_a_start_is_a_percentage() -> None:
    with pytest.raises(ValidationError):
        api.Startup(percent=101)
