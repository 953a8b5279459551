"""The engine's output through the agent: byte for byte, whatever the bytes are, whoever reads slowly or not."""

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.agent.conftest import Start
from tests.agent.harness import LOGS, until

MIB = 1024 * 1024


def rubbish(size: int) -> bytes:
    return random.Random(7).randbytes(size)


def cat(out: Path, err: Path) -> list[str]:
    return ["sh", "-c", f"cat {err} >&2 & cat {out}; wait"]


@pytest.mark.parametrize("content", [
    b"", b"no line end", b"\n", b"\r\n\r\n", b"\x00\xff\xfe\x1b[31mred\x1b[0m\r 10%|#  |\r 20%|## |", rubbish(3 * MIB),
    b"\n" * 300_000, "Ünïcödé ✓\n".encode() * 1000,
    (LOGS / "ok-a-cold.log").read_bytes(),
], ids=["nothing", "no end", "one end", "CRLF", "bars and colours", "rubbish", "only ends", "UTF-8", "a real log"])
def test_both_streams_come_out_as_they_went_in(start: Start, tmp_path: Path, content: bytes) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    out.write_bytes(content)
    err.write_bytes(content[::-1])
    agent = start(cat(out, err))
    assert agent.wait() == 1
    assert agent.out.read_bytes() == content
    assert agent.err.read_bytes() == content[::-1]


def test_a_line_of_50_megabytes_passes(start: Start) -> None:
    agent = start([sys.executable, "-c", "import os\nfor _ in range(50): os.write(1, b'x' * 1048576)"])
    agent.wait()
    assert agent.out.stat().st_size == 50 * MIB


def test_a_closed_stdout_of_the_engine_does_not_end_its_stderr(start: Start) -> None:
    agent = start(["sh", "-c", "echo one; exec >&-; sleep 0.2; echo two >&2"])
    agent.wait()
    assert (agent.out.read_text(), agent.err.read_text()) == ("one\n", "two\n")


def test_a_reader_that_goes_away_does_not_end_the_engine(start: Start) -> None:
    reader, writer = os.pipe()
    with open(writer, "wb") as ours:
        script = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; echo end >&2; exit 5"
        agent = start(["sh", "-c", script], stdout=ours)
    os.close(reader)
    assert agent.wait() == 5
    assert agent.err.read_text() == "end\n"


def test_a_slow_reader_behind_a_nonblocking_pipe_gets_every_byte(start: Start, tmp_path: Path) -> None:
    content = rubbish(2 * MIB)
    (tmp_path / "in").write_bytes(content)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with open(writer, "wb") as ours:
        agent = start(["cat", str(tmp_path / "in")], stdout=ours)
    received = bytearray()
    while data := os.read(reader, 4000):
        received += data
    os.close(reader)
    agent.wait()
    assert bytes(received) == content


def test_an_output_that_nobody_reads_stops_neither_probes_nor_parser(start: Start) -> None:
    reader, writer = os.pipe()
    with open(writer, "wb") as ours:
        line = "(APIServer pid=1) INFO 11-21 21:04:54 [a.py:1] Starting to load model /m..."
        agent = start(["sh", "-c", f"echo '{line}'; head -c 9000000 /dev/zero; echo end"], stdout=ours)
    until(lambda: agent.answers("/live"), "live")
    until(lambda: agent.status()["phase"] == "LoadingWeights", "the parser sees what nobody reads")
    drained = threading.Thread(target=_drain, args=(reader,))
    drained.start()
    agent.wait()
    drained.join()


def _drain(descriptor: int) -> None:
    while os.read(descriptor, MIB):
        pass
    os.close(descriptor)


def test_the_engine_sees_pipes_and_the_default_signals(start: Start) -> None:
    program = ("import os, signal, stat, sys\n"
               "print(stat.S_ISFIFO(os.fstat(1).st_mode), stat.S_ISFIFO(os.fstat(2).st_mode))\n"
               "print([int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])], os.getpid() == os.getsid(0))\n"
               "print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, sorted(os.listdir('/proc/self/fd'))[:4])\n")
    command = [sys.executable, "-c", program]
    plain = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    agent = start(command)
    agent.wait()
    ours = agent.out.read_text().splitlines()
    assert ours[0] == "True True"
    assert ours[1] == "[] True"
    assert ours[2] == plain[2]
