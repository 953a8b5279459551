"""Turns a build context into an image and the image into an archive: with Docker if a daemon answers, else buildah."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Protocol

from tests.cluster import packages
from tests.cluster.errors import ClusterError, Missing
from tests.cluster.progress import say
from tests.images import base

PROGRAMS = {
    "buildah": "buildah", "debootstrap": "debootstrap", "setpriv": "util-linux", "unshare": "util-linux", "tar": "tar",
}
STEP = re.compile(r"(STEP \d+/\d+: |Step \d+/\d+ : |#\d+ \[)")
BEAT_S = 15        # a long step says so this often
LOOK_S = 0.2
CERTIFICATES = "/run/host-ca.crt"


class Builder(Protocol):
    """Builds one image at a time."""

    def build(self, image: str, context: Path, dockerfile: str, archive: Path) -> None:
        """Build `image` from `context` and write it into `archive`."""


def choose(folder: Path) -> Builder:
    """Docker when its daemon answers, else buildah with its storage below `folder`; raises Missing with what to do."""
    if docker_answers():
        return Docker()
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not Path("/proc/self/ns/mnt").exists():
        raise Missing("images are built with Docker (`docker info` must answer), or as root on Linux with buildah")
    packages.ensure(PROGRAMS)
    return Buildah(folder / "storage")


def docker_answers() -> bool:
    """Whether a Docker daemon can be used from here."""
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "info", "--format", "{{.ServerVersion}}"], capture_output=True, check=False)
    return asked.returncode == 0


class Docker:
    """Builds with the Docker daemon, which gets the base image from its registry."""

    def build(self, image: str, context: Path, dockerfile: str, archive: Path) -> None:
        """Build and save; earlier tags of the same repository are removed, their layers stay as the daemon's cache."""
        run(["docker", "build", "--tag", image, "--file", str(context / dockerfile), str(context)])
        run(["docker", "save", "--output", str(archive), image])
        listed = run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", repository(image)])
        for old in set(listed.split()) - {image}:
            subprocess.run(["docker", "rmi", old], capture_output=True, check=False)  # it may be in use


class Buildah:
    """Builds as root without a daemon and without touching the network or the machine's own images."""

    def __init__(self, storage: Path) -> None:
        self.storage = storage

    def build(self, image: str, context: Path, dockerfile: str, archive: Path) -> None:
        """Build and write out; layers are kept for the next build, other images of the same repository are not."""
        self._buildah("rm", "--all")  # what a build that was killed left
        self._ensure_base()
        place = ["--tag", image, "--file", str(context / dockerfile), str(context)]
        self._buildah("bud", *self._layers(), *_certificates(), *place)
        self._buildah("push", image, f"docker-archive:{archive}:{image}")
        self._forget_others(image)

    def _ensure_base(self) -> None:
        made_of = repr((base.SUITE, base.PACKAGES, base.WASTE, base.DOCKERFILE))
        marked = f"localhost/deepseekserve/base:{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
        if marked in self._names():
            return
        say(f"base: {base.BASE} from Debian packages, since no Docker daemon answers (cold: 1 minute)")
        with tempfile.TemporaryDirectory(dir=self.storage.parent, prefix=".build-") as folder:
            base.make_context(Path(folder))
            self._buildah("bud", "--isolation=chroot", "--tag", marked, "--tag", base.BASE, folder)
        self._forget_others(marked)

    def _forget_others(self, image: str) -> None:
        for old in self._names():
            if repository(old) == repository(image) and old != image:
                self._buildah("rmi", old)

    def _names(self) -> list[str]:
        return self._buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()

    def _layers(self) -> list[str]:
        """Keep each step's result, unless the storage would have to copy the whole file system for each."""
        layered = '"GraphDriverName": "overlay"' in self._buildah("info")
        return ["--isolation=chroot", "--pull-never", f"--layers={str(layered).lower()}"]

    def _buildah(self, *arguments: str) -> str:
        """Run buildah so that it leaves neither a process nor a mount behind, however this process ends."""
        run_root = Path("/run") / f"deepseekserve-images-{hashlib.sha256(str(self.storage).encode()).hexdigest()[:8]}"
        stores = ["--root", str(self.storage), "--runroot", str(run_root)]
        return run([*base.PRIVATELY, "buildah", *stores, *arguments])


def repository(image: str) -> str:
    """The image's name without its tag."""
    return image.rpartition(":")[0]


def _certificates() -> list[str]:
    """Let pip trust what this machine was told to trust."""
    for variable in ("PIP_CERT", "SSL_CERT_FILE"):
        if (bundle := os.environ.get(variable)) and Path(bundle).is_file():
            mount = f"{Path(bundle).resolve()}:{CERTIFICATES}:ro"
            return ["--volume", mount, "--build-arg", f"PIP_CERT={CERTIFICATES}"]
    return []


def run(command: list[str]) -> str:
    """Run one command, show its steps as they begin, return what it printed; raises ClusterError with its end."""
    with tempfile.TemporaryFile("w+b") as output:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT) as process:
            _follow(process, output.fileno())
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode:
        tail = "\n".join(text.splitlines()[-30:])
        raise ClusterError(f"{' '.join(command)}: exit code {process.returncode}\n{tail}")
    return text


def _follow(process: "subprocess.Popen[bytes]", output: int) -> None:
    read, said, last = 0, time.monotonic(), ""
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_S)
        lines = os.pread(output, 1 << 20, read)
        read += (whole := lines.rfind(b"\n") + 1)
        for line in lines[:whole].decode(errors="replace").splitlines():
            last = line.strip() or last
            if STEP.match(line):
                say(f"  {line.strip()[:120]}")
                said = time.monotonic()
        if time.monotonic() - said > BEAT_S:
            say(f"  ... {last[:110]}")
            said = time.monotonic()
