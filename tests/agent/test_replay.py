"""What the image `replay` plays in the place of vLLM, as processes: pace, server and end are those of the recording."""

import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from deepseekserve.agent.vitals import read_load
from tests.agent.conftest import Start
from tests.agent.harness import DEADLINE_S, REPO, until
from tests.logs.recorder import CPU_LOGS
from tests.logs.replays import Pieces, stage

SCRIPT = REPO / "images" / "replay" / "replay.py"


def recorded(name: str) -> Pieces:
    return next(log for log in CPU_LOGS if str(log) == name).timed()


def command(folder: Path) -> list[str]:
    """As the operator writes it, with flags that a replay does not care for."""
    return [sys.executable, str(SCRIPT), "serve", str(folder), "--port", "ENGINE_PORT", "--served-model-name", "m", "n",
            "--gpu-memory-utilization", "0.9", "--enforce-eager"]


def test_a_log_that_came_up_is_served(start: Start, tmp_path: Path) -> None:
    agent = start(command(stage(tmp_path / "model", recorded("ok-f-fastest"), speed=100)))
    agent.until_ready()
    until(lambda: agent.status()["settled"], "a look at chat")
    status = agent.status()
    assert (status["phase"], status["engine"]["version"], status["degraded"]) == ("Serving", "0.32.0", None)
    until(lambda: '"POST /v1/completions HTTP/1.1" 200 OK' in agent.out.read_text(), "its access log")
    with urllib.request.urlopen(f"http://127.0.0.1:{agent.engine_port}/metrics", timeout=DEADLINE_S) as page:
        load = read_load(page.read().decode())
    assert load
    assert load.requests == 0 < load.tokens
    agent.signal()
    assert agent.wait() == 0


@pytest.mark.parametrize(("name", "ending", "code", "reason"), [
    ("fail-kv-too-small-for-one-seq", {}, 1, "KVCacheTooSmall"),
    ("fail-dtype-unknown", {"exit_code": 2}, 2, "InvalidArgument"),
    ("fail-sigterm-twice-during-model-load", {"exit_code": -2}, 130, "Terminated"),
    ("fail-sigkill-apiserver", {"exit_code": -9}, 137, "Unknown"),
    ("fail-engine-died-runtime-headdim16", {"exit_code": 0}, 1, "EngineCoreDied"),
])
def test_a_log_that_failed_ends_as_it_did(
    start: Start, tmp_path: Path, name: str, ending: dict[str, int], code: int, reason: str
) -> None:
    agent = start(command(stage(tmp_path / "model", recorded(name), speed=100, **ending)))
    assert agent.wait() == code
    assert agent.report()["failure"]["reason"] == reason


def test_what_is_played_is_what_was_written(tmp_path: Path) -> None:
    folder = stage(tmp_path / "model", recorded("fail-tp64"), speed=100)
    done = subprocess.run([SCRIPT, "serve", folder], capture_output=True, timeout=DEADLINE_S, check=False)
    assert done.stdout == b"".join(data for _, data in recorded("fail-tp64"))
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(("pieces", "speed"), [
    ([(0.5, b"first\n"), (100.5, b"last\n")], 100),
    ([(0, b"INFO 02-28 23:59:00 first\nINFO 02-28 23:58:59 of another process\nINFO 02-29 00:00:40 last\n")], 100),
    ([(0, b"first\n" * 51 + b"last\n")], 1),
], ids=["as timed", "by the engine's clock", "line by line"])
def test_a_log_is_played_at_its_own_pace_or_a_multiple_of_it(tmp_path: Path, pieces: Pieces, speed: float) -> None:
    whole, slow = (stage(tmp_path / name, pieces, speed=speed / n) for name, n in (("whole", 1), ("slow", 30)))
    began = time.monotonic()
    done = subprocess.run([SCRIPT, "serve", whole], stdout=subprocess.PIPE, timeout=DEADLINE_S, check=False)
    assert time.monotonic() - began >= 1.0
    assert b"last" in done.stdout.splitlines()[-1]
    with subprocess.Popen([SCRIPT, "serve", slow], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        began = time.monotonic()
        assert b"first" in process.stdout.readline()
        process.kill()
    assert time.monotonic() - began < DEADLINE_S              # and not with the last, after 30 s
