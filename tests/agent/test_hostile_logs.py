"""The engine's output at its worst: whole and unchanged on the other side, in 64 MiB, and still understood."""

import hashlib
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from tests.agent.conftest import Start
from tests.agent.harness import LOGS, Agent, until

MIB = 1024 * 1024
MEMORY_KIB = 64 * 1024
FAILED = (LOGS / "fail-quant-awq-on-plain.log").read_bytes()
REASON = "QuantizationMissingConfig"
DECISIVE = "ValueError: Cannot find the config file for awq"

# Writes `count` blocks, each with its number, says their hash on stderr and waits for the gate to be opened.
SENDER = """
import hashlib, os, random, sys
block, seen = {block}, hashlib.sha256()
for number in range({count}):
    data = memoryview(block % number)
    seen.update(data)
    while data:
        data = data[os.write(1, data):]
os.write(2, seen.hexdigest().encode())
open({gate!r}).read()
sys.exit({code})
"""
ONE_LINE = "b'%010d' + b'x' * (1 << 20)"
BARS = r"b'\rLoading safetensors checkpoint shards:  33%% Completed | %d/99 [00:02<00:05,  2.57s/it]' + " \
       r"b'\rCapturing CUDA graphs:  12%%|#2        | 8/67 [00:01<00:10,  5.87it/s]' * 14000"
RUBBISH = "b'%010d' + random.Random(7).randbytes(1 << 20).replace(b'%', b'%%')"
COLOURS = r"b'%010d' + b'\x1b[31;1m\x1b[0m\x1b]0;title\x07\x00\xff\xfe\r\x9b2J\n' * 40000"


class Receiver(threading.Thread):
    """Reads the agent's output to its end and keeps nothing but its hash."""

    def __init__(self) -> None:
        super().__init__()
        self._reader, writer = os.pipe()
        self.writer = os.fdopen(writer, "wb")
        self._hash = hashlib.sha256()

    def take(self) -> int:
        """Read once; return how many bytes came, 0 at the end."""
        data = os.read(self._reader, MIB)
        self._hash.update(data)
        return len(data)

    def run(self) -> None:
        while self.take():
            pass
        os.close(self._reader)

    def hexdigest(self) -> str:
        self.join()
        return self._hash.hexdigest()


def peak_kib(agent: Agent) -> int:
    status = Path(f"/proc/{agent.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def open_gate(gate: Path) -> None:
    gate.open("w").close()


@pytest.mark.parametrize(("block", "count"), [
    (ONE_LINE, 1024), (BARS, 100), (RUBBISH, 200), (COLOURS, 100),
], ids=["one line of 1 GiB", "bars", "rubbish", "colours, NULs and broken UTF-8"])
def test_a_flood_comes_out_as_it_went_in_and_the_agent_stays_small(
    start: Start, tmp_path: Path, block: str, count: int,
) -> None:
    gate, receiver = tmp_path / "gate", Receiver()
    os.mkfifo(gate)
    with receiver.writer:
        program = SENDER.format(block=block, count=count, gate=str(gate), code=3)
        agent = start([sys.executable, "-S", "-c", program], stdout=receiver.writer)
    receiver.start()
    sent = until(agent.err.read_text, "all is written", 120)
    peak = peak_kib(agent)
    open_gate(gate)
    assert agent.wait() == 3
    assert receiver.hexdigest() == sent.partition("deepseekserve-agent")[0]
    assert peak < MEMORY_KIB


FLOOD = "b'(EngineCore pid=1) INFO 11-21 21:05:05 [core.py:1] Layer %d is what it was\\n' * 20000"


def flood(before: str, after: str) -> list[str]:
    """An engine that says `before`, then 280 MB as fast as they go, then `after`, and ends."""
    program = f"import os, sys\nos.write(2, {before.encode()!r})\nblock = {FLOOD}\n" \
              f"for _ in range(200):\n    data = memoryview(block)\n    while data: data = data[os.write(1, data):]\n" \
              f"os.write(1, {after.encode()!r})\nsys.exit(1)"
    return [sys.executable, "-S", "-c", program]


@pytest.mark.parametrize(("before", "after"), [(f"{DECISIVE}\n", ""), ("", f"{DECISIVE}\n"), ("", DECISIVE)],
                         ids=["before", "after", "after, without a line end"])
def test_what_is_said_before_and_after_a_flood_is_read(start: Start, before: str, after: str) -> None:
    receiver = Receiver()
    with receiver.writer:
        agent = start(flood(before, after), stdout=receiver.writer)
    receiver.start()
    assert agent.wait(60) == 1
    assert agent.report()["failure"]["reason"] == REASON


@pytest.mark.parametrize("dress", [
    lambda line: line + b"\r",
    lambda line: b"\x1b[31m" + line + b"\x1b[0m\r\n",
    lambda line: b"\x00" + line + b"\x00\x00\n",
    lambda line: line + b" \xff\xfe\xc3\n",
], ids=["carriage returns only", "colours", "NULs", "broken UTF-8"])
def test_a_failing_log_in_other_bytes_gives_the_same_reason(start: Start, tmp_path: Path, dress: object) -> None:
    assert callable(dress)
    content = b"".join(dress(line.partition(b"] ")[2]) for line in FAILED.splitlines())
    (tmp_path / "log").write_bytes(content)
    agent = start(["sh", "-c", f"cat {tmp_path / 'log'} >&2; exit 1"])
    assert agent.wait() == 1
    assert agent.report()["failure"]["reason"] == REASON


def test_words_of_a_failure_within_a_giant_line_are_not_taken_for_one(start: Start) -> None:
    program = f"import os, sys\nos.write(2, b'x' * 5000000 + b' {DECISIVE} ' + b'y' * 5000000 + b'\\n')\nsys.exit(1)"
    agent = start([sys.executable, "-S", "-c", program])
    assert agent.wait() == 1
    assert agent.report()["failure"]["reason"] == "Unknown"


def test_what_one_stream_says_in_the_middle_of_the_others_flood_is_read(start: Start) -> None:
    receiver, half = Receiver(), flood("", "")[-1].removesuffix("sys.exit(1)")
    program = f"{half}os.write(2, b'{DECISIVE}\\n')\n{half}sys.exit(1)"
    with receiver.writer:
        agent = start([sys.executable, "-S", "-c", program], stdout=receiver.writer)
    receiver.start()
    assert agent.wait(60) == 1
    assert agent.report()["failure"]["reason"] == REASON


def test_a_failure_on_one_stream_is_read_after_both_have_flooded(start: Start) -> None:
    program = "import os, sys\nfor n in range(100000):\n    os.write(1, b'stdout says line %d\\n' % n)\n" \
              "    os.write(2, b'stderr says line %d\\n' % n)\n" \
              f"os.write(2, b'{DECISIVE}\\n')\nsys.exit(1)"
    agent = start([sys.executable, "-S", "-c", program])
    assert agent.wait(60) == 1
    assert agent.report()["failure"]["reason"] == REASON


def test_lines_that_alternate_between_the_streams_stay_whole_and_in_order(start: Start) -> None:
    program = "import os\nfor n in range(50000):\n    os.write(1 + n % 2, b'line %d\\n' % n)"
    agent = start([sys.executable, "-S", "-c", program])
    agent.wait(60)
    out = "".join(f"line {n}\n" for n in range(0, 50000, 2))
    err = "".join(f"line {n}\n" for n in range(1, 50000, 2))
    assert agent.out.read_text() == out
    assert agent.err.read_text().startswith(err)


def test_an_engine_stopped_in_the_middle_of_a_flood_goes_on_where_it_was(start: Start) -> None:
    receiver = Receiver()
    with receiver.writer:
        agent = start(flood("", DECISIVE), stdout=receiver.writer)
    pid, taken = agent.engine_pid(), 0
    while taken < 100 * MIB:                  # of 280: the flood cannot end until somebody reads the rest
        count = receiver.take()
        assert count > 0
        taken += count
    os.kill(pid, signal.SIGSTOP)
    receiver.start()
    assert agent.get("/live").status == 200
    os.kill(pid, signal.SIGCONT)
    assert agent.wait(60) == 1
    content = eval(FLOOD) * 200 + DECISIVE.encode()
    assert receiver.hexdigest() == hashlib.sha256(content).hexdigest()


def test_an_engine_that_closes_both_streams_is_watched_to_its_end(start: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    agent = start(["sh", "-c", f"echo one; exec >&- 2>&-; read line < {gate}; exit 5"])
    until(lambda: agent.answers("/live"), "pages")
    open_gate(gate)
    assert agent.wait() == 5
    assert agent.out.read_text() == "one\n"
