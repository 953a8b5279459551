"""Runs the agent as the kubelet does, as a process with an engine below it, and looks at it from outside."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from tests.ports import free_port

REPO = Path(__file__).parents[2]
LOGS = REPO / "tests" / "logs" / "vllm-0.32-cpu"
ENGINE = Path(__file__).parent / "engine.py"
DEADLINE_S = 20.0
T = TypeVar("T")

# Everything that takes long in a pod takes a moment here; but whoever is only late on a busy machine has the patience
# of a pod (unready_s, unresponsive_s, fatal_s, kill_s, flush_s): a test of its end shortens that for itself.
QUICK: Mapping[str, float] = {
    "tick_s": 0.02, "poll_s": 0.02, "blind_poll_s": 0.05, "unannounced_s": 60, "retry_s": 0.05, "health_s": 0.05,
    "scrape_s": 0.1, "idle_canary_s": 0.5, "processes_s": 0.1, "lame_duck_s": 0.4, "quiet_s": 0.2, "drain_poll_s": 0.05,
    "terminate_s": 1.0, "flush_s": 10.0,
}
_DRIVER = """
import json, sys
from deepseekserve.agent.diagnosis import LogReader
from deepseekserve.agent.limits import Limits
from deepseekserve.agent.main import main

class Unlucky(LogReader):
    def feed(self, data, now):
        raise ValueError("a line that nobody foresaw")

class Stuck(LogReader):
    def feed(self, data, now):
        while True:
            pass

parser = {"": LogReader, "unlucky": Unlucky, "stuck": Stuck}[sys.argv[2]]
sys.exit(main(sys.argv[3:], Limits(**json.loads(sys.argv[1])), parser))
"""


def until(look: Callable[[], T], what: str, deadline_s: float = DEADLINE_S) -> T:
    """Look again and again until the answer is true; fail with `what` after the deadline."""
    end = time.monotonic() + deadline_s
    pause = threading.Event()
    while not (seen := look()):
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        pause.wait(0.01)
    return seen


def alive(pid: int) -> bool:
    """Tell whether a process exists and is not a zombie."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@dataclass(frozen=True)
class Got:
    status: int
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Agent:
    """The agent's process; use as a context manager."""

    command: list[str]
    folder: Path
    options: list[str] = field(default_factory=list)
    limits: Mapping[str, float] = field(default_factory=lambda: QUICK)
    environment: Mapping[str, str] = field(default_factory=dict)
    stdout: Any = None
    model: str = "m"
    parser: str = ""

    def __enter__(self) -> "Agent":
        self.port = free_port()
        self.engine_port = free_port()
        self.out, self.err = self.folder / "stdout", self.folder / "stderr"
        self.message = self.folder / "termination-log"
        command = [w.replace("ENGINE_PORT", str(self.engine_port)) for w in self.command]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _DRIVER, json.dumps(dict(self.limits)), self.parser, "--port", str(self.port),
                 "--engine-port", str(self.engine_port), "--model", self.model, "--termination-log", str(self.message),
                 *self.options, "--", *command],
                stdout=self.stdout or out, stderr=err, cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(REPO / "operator" / "src"), **self.environment},
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        for pid in self.tree():
            _kill(pid)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def get(self, path: str, host: str = "127.0.0.1") -> Got:
        connection = http.client.HTTPConnection(host, self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return Got(response.status, response.read().decode())
        finally:
            connection.close()

    def answers(self, path: str, status: int = 200) -> bool:
        try:
            return self.get(path).status == status
        except OSError:
            return False

    def until_ready(self, deadline_s: float = DEADLINE_S) -> None:
        until(lambda: self.answers("/ready"), f"ready: {self.err.read_text(errors='replace')[-500:]}", deadline_s)

    def status(self) -> Any:
        return self.get("/status").json()

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        return self.process.wait(deadline_s)

    def report(self) -> Any:
        """The termination message, after the end."""
        data = self.message.read_bytes()
        assert len(data) <= 4096
        return json.loads(data)

    def engine_pid(self) -> int:
        pids: list[int] = until(lambda: _children(self.process.pid), "a child")
        return pids[0]

    def tree(self) -> list[int]:
        """Every process below the agent."""
        found: list[int] = []
        todo = [self.process.pid]
        while todo:
            below = _children(todo.pop())
            found += below
            todo += below
        return found

    def control(self, **changes: object) -> Any:
        """Change the engine's plan, or read it, as soon as the engine listens."""
        url = f"http://127.0.0.1:{self.engine_port}/control"
        body = json.dumps(changes).encode() if changes else None

        def ask() -> bytes | None:
            with contextlib.suppress(OSError), urllib.request.urlopen(url, body, timeout=10) as answer:
                return bytes(answer.read())
            return None

        return json.loads(until(ask, "the engine listens") or b"")


def engine(**plan: object) -> list[str]:
    """The command of an engine with this plan (see engine.py); the port is put in by the agent's harness."""
    values = {"port": -1, "log": str(LOGS / "ok-f-fastest.log"), "until": "Application startup complete", **plan}
    return [sys.executable, "-S", str(ENGINE), json.dumps(values).replace('"port": -1', '"port": ENGINE_PORT')]


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in re.findall(r"\d+", text)]


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
