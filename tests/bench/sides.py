"""The two that make children for new resources, the operator and the bare loop, each as a process of its own."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from deepseekserve.kube import Object
from tests.bench.loop import READY
from tests.bench.report import BenchError
from tests.cluster.commands import tied
from tests.integration.operating import ROOT, Operator, eventually

PATIENCE_S = 120


class Side:
    """A process that makes children, and what it uses of the machine."""

    def __init__(self, name: str, process: "subprocess.Popen[Any]") -> None:
        self.name = name
        self._process = process

    def tell(self, serve: Object) -> None:
        """Say that a resource was made, to one that does not watch."""

    def cpu_s(self) -> float:
        """CPU seconds used so far."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        """The most memory that was ever resident."""
        return self._memory_mib("VmHWM")

    def steady_mib(self) -> float:
        """The memory that is resident now."""
        return self._memory_mib("VmRSS")

    def _memory_mib(self, field: str) -> float:
        return round(int(self._proc("status").partition(f"{field}:")[2].split()[0]) / 1024, 1)

    def _proc(self, file: str) -> str:
        try:
            return Path(f"/proc/{self._process.pid}/{file}").read_text()
        except FileNotFoundError:
            raise BenchError(f"the {self.name} has ended: {self._process.poll()}") from None


class Loop(Side):
    """The bare loop."""

    def tell(self, serve: Object) -> None:
        """Say that a resource was made."""
        metadata = serve["metadata"]
        assert self._process.stdin
        line = json.dumps([metadata["namespace"], metadata["name"], metadata["uid"]])
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()


@asynccontextmanager
async def operating(operator: Operator) -> AsyncIterator[Side]:
    """The operator while it leads; ended in order."""
    await asyncio.to_thread(operator.start)
    try:
        await asyncio.to_thread(eventually, operator.leads, "the operator leads", PATIENCE_S)
        yield side_of(operator)
        await asyncio.to_thread(operator.stop)
    finally:
        operator.kill()


def side_of(operator: Operator) -> Side:
    """The operator's process as it is now."""
    if operator.process is None or operator.has_ended():
        raise BenchError(f"the operator has ended:\n{operator.says()[-2000:]}")
    return Side("operator", operator.process)


@asynccontextmanager
async def looping(operator: Operator) -> AsyncIterator[Side]:
    """The bare loop with the operator's credentials and sources; at the end it has written everything."""
    environ = {**operator.kubectl.env(), "PYTHONPATH": f"{operator.source}{os.pathsep}{ROOT}"}
    environ.pop("KUBERNETES_SERVICE_HOST", None)
    process = subprocess.Popen(
        tied([sys.executable, "-m", "tests.bench.loop"]), env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    try:
        if await asyncio.to_thread(process.stdout.readline) != f"{READY}\n".encode():
            raise BenchError("the bare loop did not start")
        yield Loop("loop", process)
        process.stdin.close()
        if code := await asyncio.to_thread(process.wait, PATIENCE_S):
            raise BenchError(f"the bare loop ended with code {code}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
