"""Runs the real kubectl against the lab's cluster; objects in, objects out."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.health import wait_for

Object = dict[str, Any]


class KubectlFailed(RuntimeError):
    """kubectl exited with another code than 0; carries what it printed."""

    def __init__(self, command: list[str], code: int, stderr: str) -> None:
        super().__init__(f"{' '.join(command[:8])} ...: exit code {code}: {stderr.strip()}")
        self.code = code
        self.stderr = stderr


@dataclass(frozen=True)
class Kubectl:
    """kubectl with one kubeconfig and one default namespace."""

    binary: Path
    kubeconfig: Path
    namespace: str = "default"

    def command(self, *args: str) -> list[str]:
        """The whole argument list for a command, to be run by others (watch, port-forward)."""
        return [str(self.binary), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *args]

    def env(self) -> Mapping[str, str]:
        """Environment for programs that read KUBECONFIG."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def __call__(self, *args: str, stdin: str | None = None, timeout_s: float = 120) -> str:
        """Run kubectl and return its standard output; raises KubectlFailed."""
        command = self.command(*args)
        # Bytes: text mode would turn the carriage returns of progress bars into line ends.
        given = stdin.encode() if stdin is not None else None
        done = subprocess.run(command, input=given, capture_output=True, timeout=timeout_s, check=False)
        if done.returncode:
            raise KubectlFailed(command, done.returncode, done.stderr.decode(errors="replace"))
        return done.stdout.decode(errors="replace")

    def apply(self, *objects: Object | str) -> str:
        """Apply manifests, given as objects or as YAML text, with strict validation."""
        texts = [o if isinstance(o, str) else json.dumps(o) for o in objects]
        return self("apply", "--validate=strict", "-f", "-", stdin="\n---\n".join(texts))

    def get(self, kind: str, name: str) -> Object | None:
        """One object, or None when there is none of that name."""
        try:
            found: Object = json.loads(self("get", kind, name, "-o", "json"))
        except KubectlFailed as error:
            if "NotFound" in error.stderr or "not found" in error.stderr:
                return None
            raise
        return found

    def list(self, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind in the namespace, narrowed by a label selector."""
        listed: list[Object] = json.loads(self("get", kind, "-l", selector, "-o", "json"))["items"]
        return listed

    def patch(self, kind: str, name: str, change: Object) -> str:
        """Merge-patch one object, as a user's edit would."""
        return self("patch", kind, name, "--type=merge", "-p", json.dumps(change))


def await_crd(kubectl: Kubectl, name: str) -> None:
    """Wait until the API server serves the kind; `kubectl wait` fails on a CRD so new that it has no conditions."""
    def is_served() -> bool:
        conditions = (kubectl.get("crd", name) or {}).get("status", {}).get("conditions") or ()
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    wait_for(is_served, f"{name} is served", 60)


def log_lines(kubectl: Kubectl, pod: str) -> Iterator[str]:
    """The lines of a pod's log as they come, until its container ends or the caller has seen enough."""
    process = subprocess.Popen(kubectl.command("logs", "--follow", pod), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield from process.stdout
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
