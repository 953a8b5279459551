"""A control plane alone (etcd, API server, controllers; no node): about 3 s, without root, on free ports of 127.0.0.1.

For integration tests: objects, validation, server-side apply, garbage collection and tokens are real; no pod ever runs.
Its processes end with the process that started them, even when that is killed.
"""

import contextlib
import fcntl
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.cluster import certificates, pki
from tests.cluster.commands import tied
from tests.cluster.components import Programs
from tests.cluster.errors import ClusterError
from tests.cluster.health import ApiServer, wait_for
from tests.cluster.tools import tool
from tests.ports import HOST, free_port

START_S = 90    # 3 s on an idle machine; a loaded one of two cores has been seen to need ten times that
PREFIX = "dss-cp-"
UNLOCKED_S = 60  # a folder is never longer without its lock than this


class ControlPlane:
    """One control plane with its state in a temporary folder; a context manager, started on entry."""

    def __init__(self, flags: Sequence[str] = ()) -> None:
        """With more flags for the API server, where given."""
        self._flags = flags
        self.kubectl_binary = tool("kubectl")
        _remove_folders_of_killed_runs()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = _lock(self.folder)
        self.programs = Programs(tool("kubernetes"), self.folder / "pki")
        self.kubeconfig = self.folder / "pki" / "admin.kubeconfig"
        self.server = ""
        self._commands: dict[str, list[str]] = {}                   # by component, in the order of their start
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and return when the API server is ready and the default service account exists."""
        certificates.for_control_plane(self.folder / "pki", HOST)
        socket_url = f"unix://{self.folder}/etcd.sock"
        self._run("etcd", self.programs.etcd(self.folder / "etcd", socket_url, f"unix://{self.folder}/peer.sock"))
        api = self._start_apiserver(socket_url)
        for user in certificates.CONTROL_PLANE:
            pki.kubeconfig(self.folder / "pki", user, self.server, "control-plane")
        self._run("controller-manager", self.programs.controller_manager())
        path = "/api/v1/namespaces/default/serviceaccounts/default"
        wait_for(lambda: api.get(path) is not None, f"{path} ({self.log('controller-manager')})", START_S)

    def stop(self) -> None:
        """End the processes and remove the folder; safe to call again."""
        for component in reversed(self._processes):
            self.kill(component)
        self._processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def kill(self, component: str) -> None:
        """End etcd, apiserver or controller-manager with SIGKILL; its data and its port stay."""
        self._processes[component].kill()
        self._processes[component].wait()

    def restart(self, component: str) -> None:
        """Start what was killed again, as it was; returns when the API server is ready."""
        process = self._run(component, self._commands[component])
        if component == "apiserver":
            self._await_apiserver(process)

    def signal(self, component: str, number: int) -> None:
        """Send a signal, such as SIGSTOP, to a component."""
        self._processes[component].send_signal(number)

    def log(self, component: str) -> Path:
        """The log file of etcd, apiserver or controller-manager."""
        return self.folder / f"{component}.log"

    def _start_apiserver(self, etcd_url: str) -> ApiServer:
        self._api = ApiServer(HOST, free_port(), self.folder / "pki")
        # The Endpoints of `kubernetes` may not hold a loopback address, so nobody writes them.
        flags = ["--endpoint-reconciler-type=none", "--shutdown-delay-duration=0s", *self._flags]
        self._await_apiserver(self._run("apiserver", self.programs.apiserver(etcd_url, HOST, self._api.port) + flags))
        self.server = f"https://{HOST}:{self._api.port}"
        return self._api

    def _await_apiserver(self, process: subprocess.Popen[bytes]) -> None:
        wait_for(_ready_or_ended(self._api, process), "API server ready", START_S)
        if process.poll() is not None:
            tail = "\n".join(self.log("apiserver").read_text(errors="replace").splitlines()[-15:])
            raise ClusterError(f"the API server did not start:\n{tail}")

    def _run(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a process that ends with this one."""
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(tied(command), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._commands[name], self._processes[name] = command, process
        return process


def _lock(folder: Path) -> IO[bytes]:
    """Lock the folder as long as this process lives; raises BlockingIOError when another one does."""
    file = (folder / "lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    return file


def _remove_folders_of_killed_runs() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):      # in use, or somebody else's
            if time.time() - folder.stat().st_mtime > UNLOCKED_S:
                _lock(folder).close()
                shutil.rmtree(folder)


def _ready_or_ended(api: ApiServer, process: subprocess.Popen[bytes]) -> Callable[[], bool]:
    return lambda: process.poll() is not None or api.is_ready()
