"""Every recorded log gets the reason that its index gives, with nothing else known than its bytes."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from deepseekserve.agent.diagnose import diagnose
from deepseekserve.agent.reasons import Reason
from tests.logs import recorder
from tests.logs.recorder import Log

SRC = Path(__file__).parents[2] / "operator" / "src"
# Failures whose index says "Other" (outside the enum) are not judged; null is right too where the log does not say.
JUDGED = [log for log in recorder.FAILURES if log.cause != "Other"]


def reason_of(data: bytes) -> object:
    return diagnose(io.BytesIO(data))["reason"]


@pytest.mark.parametrize("log", JUDGED, ids=str)
def test_a_failed_start_is_named_as_its_index_says(log: Log) -> None:
    reason = reason_of(log.engine_bytes)
    assert reason == log.cause or (log.cause == "Unknown" and reason is None)


@pytest.mark.parametrize("log", recorder.SUCCESSES, ids=str)
def test_a_start_that_succeeded_raises_no_alarm(log: Log) -> None:
    assert reason_of(log.engine_bytes) is None


@pytest.mark.parametrize("log", JUDGED, ids=str)
def test_a_named_failure_says_what_happened_and_what_to_do(log: Log) -> None:
    result = diagnose(io.BytesIO(log.engine_bytes))
    if result["reason"] is None:
        pytest.skip("killed by signal 9: this log does not say why")
    message, remedy = str(result["message"]), str(result["remedy"])
    assert 20 <= len(message) <= 400
    assert message.count("\n") == 0
    assert 20 <= len(remedy) <= 500
    assert result["lines"]


def test_all_open_gpu_logs_were_read_where_they_exist() -> None:
    expected = 97 if recorder.GPU.is_dir() else 0
    assert len(recorder.GPU_FAILURES) + len(recorder.GPU_SUCCESSES) == expected


def test_all_cpu_logs_are_here() -> None:
    assert len(recorder.CPU_LOGS) == 49


def test_reasons_of_the_indexes_are_those_of_the_enum() -> None:
    causes = {log.cause for log in recorder.EVERY_LOG} - {"", "Other"}
    assert causes <= {reason.value for reason in Reason}


def run_command(*arguments: str, data: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(SRC)!r}); "
            "from deepseekserve.agent.diagnose import main; sys.exit(main())",
            *arguments,
        ],
        input=data,
        capture_output=True,
        check=False,
    )


def test_the_command_prints_one_json_object_for_a_file(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(recorder.CPU_FAILURES[0].engine_bytes)
    done = run_command(str(log))
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert set(result) == {"reason", "message", "remedy", "fixes", "phase", "percent", "facts", "lines"}


def test_the_command_reads_standard_input() -> None:
    done = run_command("-", data=b"ValueError: Cannot find the config file for awq\n")
    assert json.loads(done.stdout)["reason"] == "QuantizationMissingConfig"


def test_the_command_names_a_file_that_it_cannot_read() -> None:
    done = run_command("/nowhere/engine.log")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"cannot read /nowhere/engine.log: No such file or directory\n"


def test_the_command_explains_itself() -> None:
    done = run_command("--help")
    assert done.returncode == 0
    assert b"FILE" in done.stdout
