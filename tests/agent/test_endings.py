"""How the agent ends when the engine does: exit code, termination message, and nothing left behind."""

import os
import signal
import socket
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.agent.conftest import Start
from tests.agent.harness import LOGS, QUICK, alive, engine, until


@pytest.mark.parametrize(("script", "code"), [
    ("exit 0", 1), ("exit 1", 1), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137), ("kill -11 $$", 139),
    ("kill -15 $$", 143),
])
def test_an_end_that_nobody_asked_for_is_never_0(start: Start, script: str, code: int) -> None:
    agent = start(["sh", "-c", script])
    assert agent.wait() == code
    report = agent.report()
    assert (report["exitCode"], report["ready"]) == (code, False)
    assert report["failure"]["reason"]


@pytest.mark.parametrize(("log", "reason"), [
    ("fail-quant-awq-on-plain.log", "QuantizationMissingConfig"),
    ("fail-max-model-len-too-large.log", "ContextTooLong"),
    ("fail-safetensors-truncated.log", "CorruptModel"),
])
def test_a_real_failing_log_gives_its_reason(start: Start, log: str, reason: str) -> None:
    agent = start(engine(log=str(LOGS / log), until="\x00", exit_code=1))
    assert agent.wait() == 1
    assert agent.report()["failure"]["reason"] == reason
    assert agent.report()["failure"]["remedy"]


def test_a_fatal_line_shows_before_the_engine_has_ended(start: Start) -> None:
    agent = start(engine(log=str(LOGS / "fail-quant-awq-on-plain.log"), until="\x00", hang=True),
                  limits={**QUICK, "fatal_s": 3600})
    until(lambda: agent.answers("/status"), "pages")
    failure = until(lambda: agent.status()["failure"], "the failure while the engine hangs")
    assert failure["reason"] == "QuantizationMissingConfig"
    assert agent.status()["exitCode"] is None


def test_a_hanging_engine_is_killed_and_its_failure_dated_when_it_was_found(start: Start) -> None:
    agent = start(engine(log=str(LOGS / "fail-quant-awq-on-plain.log"), until="\x00", hang=True),
                  limits={**QUICK, "fatal_s": 3.0})
    assert agent.wait() == 137
    failure = agent.report()["failure"]
    assert failure["reason"] == "QuantizationMissingConfig"
    assert time.time() - datetime.fromisoformat(failure["at"]).timestamp() >= 3.0


def test_a_termination_message_is_never_longer_than_4096_bytes(start: Start) -> None:
    program = "print('✓' * 100_000); print('ValueError: ' + '✓' * 100_000); raise SystemExit(1)"
    agent = start([sys.executable, "-c", program])
    agent.wait()
    assert agent.report()["failure"]["reason"] == "Unknown"


def test_a_termination_log_that_cannot_be_written_changes_nothing(start: Start, tmp_path: Path) -> None:
    agent = start(["sh", "-c", "exit 4"], options=["--termination-log", str(tmp_path / "no" / "such" / "folder")])
    assert agent.wait() == 4


def test_a_program_that_does_not_exist_is_a_missing_dependency(start: Start) -> None:
    agent = start(["vllm-that-does-not-exist", "serve"])
    assert agent.wait() == 127
    assert agent.report()["failure"]["reason"] == "MissingDependency"
    assert "vllm-that-does-not-exist" in agent.err.read_text()


def test_a_program_that_may_not_run_is_permission_denied(start: Start, tmp_path: Path) -> None:
    (tmp_path / "program").write_text("#!/bin/sh\n")
    agent = start([str(tmp_path / "program")])
    assert agent.wait() == 126
    assert agent.report()["failure"]["reason"] == "PermissionDenied"


def test_a_taken_port_of_the_agent_is_said_before_the_engine_starts(start: Start, tmp_path: Path) -> None:
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        port = taken.getsockname()[1]
        agent = start(["touch", str(tmp_path / "started")], options=["--port", str(port)])
        assert agent.wait() == 1
    assert agent.report()["failure"]["reason"] == "PortInUse"
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("key", ["", " \n"])
def test_a_guard_without_a_key_starts_nothing(start: Start, tmp_path: Path, key: str) -> None:
    agent = start(["touch", str(tmp_path / "started")], options=["--guard"], environment={"VLLM_API_KEY": key})
    assert agent.wait() == 1
    assert agent.report()["failure"]["reason"] == "ContainerConfigError"
    assert not (tmp_path / "started").exists()


def test_everything_that_the_engine_leaves_behind_is_killed(start: Start) -> None:
    agent = start(engine(orphans=2, children=2))
    agent.until_ready()
    below = agent.tree()
    assert len(below) == 5
    os.kill(agent.engine_pid(), signal.SIGKILL)
    assert agent.wait() == 137
    assert [pid for pid in below if alive(pid)] == []


def test_an_orphan_that_ends_is_reaped_while_the_engine_runs(start: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    orphan = f"setsid sh -c 'while [ ! -e {gate} ]; do :; done'"
    agent = start(["sh", "-c", f"for i in 1 2 3; do ({orphan} &); done; exec sleep 600"])
    until(lambda: len(agent.tree()) == 4, "three orphans beside the engine")
    gate.touch()
    until(lambda: len(agent.tree()) == 1, "no zombie is left")


def test_an_engine_killed_while_it_serves_is_typed_and_not_ready(start: Start) -> None:
    agent = start(engine())
    agent.until_ready()
    os.kill(agent.engine_pid(), signal.SIGKILL)
    assert agent.wait() == 137
    report = agent.report()
    assert report["phase"] == "Serving"
    assert report["failure"]["reason"] in ("Unknown", "HostOutOfMemory")
    assert "signal 9" in report["failure"]["message"]


def test_an_engine_that_serves_without_having_said_so_is_not_judged_by_its_requests(start: Start) -> None:
    prefix = "(APIServer pid=7) ERROR 11-21 21:44:46 [serving.py:274] "
    lines = ("Error in preprocessing", "Traceback (most recent call last):", "jinja2.exceptions.TemplateError: secret")
    error = "".join(f"{prefix}{line}\n" for line in lines) + "(EngineCore pid=8) ERROR of the engine's own\n"
    agent = start(engine(announce=False, chat=400, error=error), limits={**QUICK, "unannounced_s": 0.5})
    agent.until_ready()
    until(lambda: "secret" in agent.err.read_text(), "the failed request in the log")
    os.kill(agent.engine_pid(), signal.SIGKILL)
    agent.wait()
    failure = agent.report()["failure"]
    assert failure["reason"] in ("Unknown", "HostOutOfMemory")
    assert failure["logExcerpt"] == "(EngineCore pid=8) ERROR of the engine's own"
