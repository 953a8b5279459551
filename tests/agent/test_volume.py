"""The agent under a flood: bounded memory, no byte lost, and an engine that hardly waits."""

import sys
from pathlib import Path

import pytest

from tests.agent.conftest import Start
from tests.agent.harness import Agent, until

MIB = 1024 * 1024
MEMORY_KIB = 64 * 1024
ONE_LINE = "import os\nfor _ in range({}): os.write(1, b'x' * 1048576)\n{}"
LINES = ("import os\nline = b'(EngineCore pid=1) INFO 11-21 21:05:05 [core.py:1] ValueError: no cause %d\\n' * 1000\n"
         "for _ in range({}): os.write(1, line)\n{}")
WAIT = "while not os.path.exists('go'): pass"


def peak_kib(agent: Agent) -> int:
    status = Path(f"/proc/{agent.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@pytest.mark.parametrize(("program", "count", "size"), [(ONE_LINE, 200, 200 * MIB), (LINES, 1000, 72_000_000)],
                         ids=["one line of 200 MiB", "a million lines that look like errors"])
def test_a_flood_passes_whole_in_64_mebibytes(start: Start, program: str, count: int, size: int) -> None:
    agent = start([sys.executable, "-c", program.format(count, WAIT)])
    until(lambda: agent.out.exists() and agent.out.stat().st_size >= size, "all of it", 120)
    until(lambda: agent.answers("/status"), "pages")
    assert peak_kib(agent) < MEMORY_KIB
    (agent.folder / "go").touch()
    agent.wait()
    assert agent.out.stat().st_size >= size
