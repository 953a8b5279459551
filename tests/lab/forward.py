"""Reaches a Service or a pod from this machine through `kubectl port-forward`, on every provider alike."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.kubectl import Kubectl


@contextmanager
def forwarded(kubectl: Kubectl, target: str, port: int) -> Iterator[str]:
    """Base URL at which `target` (svc/NAME, pod/NAME) answers while the context is open."""
    command = kubectl.command("port-forward", target, f":{port}", "--address=127.0.0.1")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            raise RuntimeError(f"port-forward to {target}: {line.strip()}")
        yield f"http://127.0.0.1:{found[1]}"
    finally:
        process.terminate()
        process.wait()
        if process.stdout:
            process.stdout.close()
