"""The report: its form, and the termination message that never exceeds what the kubelet keeps."""

import json
from dataclasses import replace

import pytest

from deepseekserve.agent.diagnosis import Failure, Fix
from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.agent.report import Standing, report, rfc3339, termination_message

FAILURE = Failure(
    Reason.CONTEXT_TOO_LONG,
    "too long",
    "set it lower",
    (Fix("spec.engine.maxModelLen", "32768", "the model's"),),
    ("a line", "b"),
)
STANDING = Standing(
    phase=Phase.LOADING_WEIGHTS,
    percent=35,
    phase_since=100.0,
    started_at=50.0,
    phases=((Phase.STARTING, 50.0), (Phase.LOADING_WEIGHTS, 100.0)),
)


def test_the_report_of_a_start_has_the_agreed_form() -> None:
    assert report(replace(STANDING, expected_seconds=41.6, engine={"version": "0.32.0"})) == {
        "schema": 1,
        "phase": "LoadingWeights",
        "percent": 35,
        "phaseSince": "1970-01-01T00:01:40Z",
        "phases": [
            {"phase": "Starting", "since": "1970-01-01T00:00:50Z"},
            {"phase": "LoadingWeights", "since": "1970-01-01T00:01:40Z"},
        ],
        "startedAt": "1970-01-01T00:00:50Z",
        "expectedSeconds": 42,
        "ready": False,
        "engine": {"version": "0.32.0"},
        "failure": None,
        "exitCode": None,
        "degraded": None,
        "settled": False,
    }


def test_the_report_of_a_failure_carries_remedy_and_excerpt() -> None:
    said = report(replace(STANDING, failure=FAILURE, failed_at=160.0, exit_code=1))["failure"]
    assert said == {
        "reason": "ContextTooLong",
        "message": "too long",
        "remedy": "set it lower",
        "at": "1970-01-01T00:02:40Z",
        "fixes": [{"field": "spec.engine.maxModelLen", "value": "32768", "why": "the model's"}],
        "logExcerpt": "a line\nb",
    }


def test_a_failure_without_a_time_of_its_own_takes_that_of_the_phase() -> None:
    said = report(replace(STANDING, failure=FAILURE))["failure"]
    assert isinstance(said, dict)
    assert said["at"] == "1970-01-01T00:01:40Z"


def test_times_are_whole_seconds_in_utc() -> None:
    assert rfc3339(1_763_759_094.9) == "2025-11-21T21:04:54Z"


@pytest.mark.parametrize("filler", ["x" * 600, "ü" * 600, '"\\' * 300, "\x01" * 600, "🧱" * 600])
def test_a_long_excerpt_is_cut_and_all_else_is_kept(filler: str) -> None:
    message = termination_message(report(replace(STANDING, failure=replace(FAILURE, lines=(filler,) * 12))))
    data = json.loads(message)
    assert len(message) <= 4096
    assert data["failure"]["fixes"]
    assert data["failure"]["logExcerpt"]


def test_a_short_report_is_not_cut() -> None:
    whole = report(replace(STANDING, failure=FAILURE))
    phases = {"phases": whole["phases"]}
    assert json.loads(termination_message(whole)) | phases == whole


def test_notes_fixes_and_sentences_give_way_last() -> None:
    failure = Failure(Reason.UNKNOWN, "m" * 3000, "r" * 3000, (Fix("f", "v", "w" * 2000),) * 3, ("l",))
    standing = replace(STANDING, failure=failure, engine={"version": "1", "notes": ["n" * 3000]}, degraded="d" * 3000)
    message = termination_message(report(standing))
    data = json.loads(message)
    assert len(message) <= 4096
    assert data["failure"]["reason"] == "Unknown"
    assert data["failure"]["message"].startswith("mmm")


def test_a_report_without_failure_fits_too() -> None:
    message = termination_message(report(replace(STANDING, engine={"notes": ["n" * 5000]})))
    assert len(message) <= 4096
    assert json.loads(message)["phase"] == "LoadingWeights"
