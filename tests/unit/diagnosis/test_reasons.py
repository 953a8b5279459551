"""The closed enums: complete, each reason with a condition, an advice where the agent gives it, and a permanence."""

import re
from pathlib import Path

import pytest

from deepseekserve import api
from deepseekserve.agent.enginefacts import Facts
from deepseekserve.agent.reasons import ENGINE_PHASES, PERMANENT, REASONS, Phase, Reason
from deepseekserve.agent.signatures import ADVICE, TABLE, Case, Weight, advise

FROM_KUBERNETES = {
    "ImagePullFailed",
    "Unschedulable",
    "Evicted",
    "QuotaExceeded",
    "VolumeMountFailed",
    "ContainerConfigError",
    "AdmissionRefused",
    "NodeLost",
}
FROM_OPERATOR = {"InvalidSpec", "DoesNotFit", "NameConflict", "Suspended"}
FROM_ENGINE = [reason for reason in Reason if reason.value not in FROM_KUBERNETES | FROM_OPERATOR]


def test_every_reason_has_its_condition_written_down() -> None:
    assert set(REASONS) == set(Reason)
    assert all(info.condition.endswith(".") and len(info.condition) > 20 for info in REASONS.values())


def test_there_are_forty_eight_reasons() -> None:
    assert len(Reason) == 48


def test_what_a_file_a_secret_or_the_cluster_can_cure_is_not_permanent() -> None:
    curable = {
        "ModelNotFound",
        "CorruptModel",
        "PermissionDenied",
        "HubUnreachable",
        "DeviceMemoryBusy",
        "EngineCoreDied",
        "ModelAccessDenied",
        "DiskFull",
        "Terminated",
        "Unknown",
        "NodeLost",
        "Evicted",
        "HostOutOfMemory",
    }
    assert curable & {reason.value for reason in PERMANENT} == set()


def test_what_only_an_edit_can_cure_is_permanent() -> None:
    edits = {"ContextTooLong", "KVCacheTooSmall", "QuantizationMissingConfig", "InvalidArgument", "InvalidSpec"}
    assert edits <= {reason.value for reason in PERMANENT}


def test_the_engines_phases_stand_in_the_order_of_a_start() -> None:
    assert [phase.value for phase in ENGINE_PHASES] == [
        "Starting",
        "Downloading",
        "LoadingWeights",
        "Compiling",
        "ProfilingMemory",
        "CapturingGraphs",
        "Serving",
    ]
    assert set(ENGINE_PHASES) <= set(Phase)


@pytest.mark.parametrize("reason", FROM_ENGINE)
def test_every_reason_of_the_engine_has_an_advice_that_needs_no_numbers(reason: Reason) -> None:
    advice = advise(Case(reason, {}, Facts(), Phase.STARTING))
    assert advice.message.endswith(".")
    assert advice.remedy.endswith(".")


def test_no_advice_is_left_over() -> None:
    assert set(ADVICE) == set(FROM_ENGINE)


@pytest.mark.parametrize("reason", [r for r in FROM_ENGINE if r.value not in {"StartupStalled", "EngineUnresponsive"}])
def test_every_reason_of_the_engine_has_a_signature(reason: Reason) -> None:
    assert any(signature.reason is reason for signature in TABLE)


def test_every_signature_says_where_it_was_seen_and_compiles() -> None:
    for signature in TABLE:
        assert signature.seen
        re.compile(signature.pattern)


def test_only_words_of_death_end_a_serving_engine() -> None:
    assert {s.reason for s in TABLE if s.serving} == {Reason.ENGINE_CORE_DIED, Reason.TERMINATED}


def test_wrappers_and_echoes_explain_nothing() -> None:
    assert {s.reason for s in TABLE if s.weight is Weight.WRAPPER} == {Reason.ENGINE_CORE_DIED}
    assert {s.reason for s in TABLE if s.weight is Weight.ECHO} == {Reason.UNKNOWN}


def test_a_remedy_names_only_fields_that_the_resource_has() -> None:
    source = Path(__file__).parents[3] / "operator" / "src" / "deepseekserve" / "agent" / "signatures"
    named = {
        field for path in source.glob("*.py") for field in re.findall(r"spec\.[A-Za-z.]*[A-Za-z]", path.read_text())
    }
    assert named <= {"spec.engine", *(f"spec.{path}" for path in api.effects(api.Spec))}


@pytest.mark.parametrize(("pipeline", "sees", "fixes"), [
    ("", 2, {"tensor": "2"}),
    ("1", 3, {"tensor": "3"}),
    ("2", 5, {"tensor": "2"}),
    ("4", 2, {"tensor": "2", "pipeline": "1"}),
    ("two", 2, {"tensor": "2"}),
])
def test_the_fixes_of_too_few_devices_multiply_to_what_there_is(
    pipeline: str, sees: int, fixes: dict[str, str],
) -> None:
    facts = Facts(asked={"pipeline_parallel_size": pipeline} if pipeline else {})
    values = {"world": "8", "gpus": str(sees)}
    advice = advise(Case(Reason.NOT_ENOUGH_DEVICES, values, facts, Phase.STARTING))
    assert {fix.field: fix.value for fix in advice.fixes} == {
        f"spec.resources.parallelism.{name}": value for name, value in fixes.items()}
    assert all(f"parallelism.{name} to {value}" in advice.remedy for name, value in fixes.items())
