"""Turns programs that the machine lacks into installed Debian packages, or into a message that names them."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.errors import ClusterError, Missing
from tests.cluster.lock import locked
from tests.cluster.paths import cache
from tests.cluster.processes import PATH
from tests.cluster.progress import say

CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))

# program -> Debian package
NODE = {
    "containerd": "containerd", "ctr": "containerd", "containerd-shim-runc-v2": "containerd", "runc": "runc",
    "cni:ptp": "containernetworking-plugins", "iptables": "iptables", "conntrack": "conntrack", "socat": "socat",
    "ethtool": "ethtool", "openssl": "openssl", "ip": "iproute2", "nsenter": "util-linux", "unshare": "util-linux",
    "setsid": "util-linux", "mount": "mount",
}


def ensure(programs: Mapping[str, str] = NODE) -> None:
    """Install the packages of those programs that are missing; raises Missing where that is not possible."""
    if missing(programs):
        with locked(cache() / "packages.lock", "installing packages"):  # apt-get update waits for no other one
            _install(programs)


def missing(programs: Mapping[str, str]) -> list[str]:
    """The packages of those programs that are not there."""
    return sorted({package for program, package in programs.items() if not is_there(program)})


def _install(programs: Mapping[str, str]) -> None:
    packages = missing(programs)
    if not packages:
        return
    command = ["apt-get", "install", "--no-install-recommends", *packages]
    if shutil.which("apt-get") is None:
        lacking = sorted(p for p in programs if not is_there(p))
        raise Missing(f"missing programs: {', '.join(lacking)}. Install them (in Debian: {' '.join(command)})")
    if os.geteuid() != 0:
        raise Missing(f"missing packages; as root: {' '.join(command)}")
    say(f"installing packages: {' '.join(packages)}")
    _apt("update")
    _apt("install", "--yes", "--no-install-recommends", *packages)


def is_there(program: str) -> bool:
    """The program is on the system's PATH; `cni:NAME` means a CNI plugin."""
    if program.startswith("cni:"):
        return cni_folder(program.removeprefix("cni:")) is not None
    return shutil.which(program, path=PATH) is not None


def cni_folder(plugin: str = "ptp") -> Path | None:
    """The folder that holds the CNI plugins."""
    return next((folder for folder in CNI_FOLDERS if (folder / plugin).exists()), None)


def _apt(*arguments: str) -> None:
    """Run apt-get; when another one holds the lock, it waits for up to five minutes."""
    command = ["apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=300", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise ClusterError(f"{' '.join(command)}: exit code {done.returncode}\n{tail}")
