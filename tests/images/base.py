"""Makes a stand-in for the Dockerfiles' base image out of Debian packages, where no registry can be reached.

Same Debian, same Python 3.11 with pip, venv and headers, same commands; so the Dockerfiles need not know.
"""

import shutil
import subprocess
from pathlib import Path

from tests.cluster.errors import ClusterError

BASE = "docker.io/library/python:3.11-slim-bookworm"
SUITE = "bookworm"
PACKAGES = ("ca-certificates", "libpython3-dev", "python3", "python3-pip", "python3-venv")

# Ends with the process that started it, and takes what it has mounted with it.
PRIVATELY = ("setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--propagation=private")

DOCKERFILE = """\
FROM scratch
ADD base.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["python3"]
"""

# What a container never needs, and what debootstrap copied from this machine.
WASTE = (
    "dev/*", "etc/hostname", "etc/resolv.conf", "usr/lib/python3*/EXTERNALLY-MANAGED", "usr/lib/python3*/config-*/*.a",
    "usr/lib/*/libpython3*.a", "usr/share/doc/*", "usr/share/man/*", "var/cache/apt/*", "var/lib/apt/lists/*",
    "var/log/*",
)


def make_context(folder: Path) -> None:
    """Fill `folder` with the base image's build context, a Dockerfile and one archive. Needs root; takes a minute."""
    root = folder / "root"
    _run([*PRIVATELY, "debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root)])
    for path in (path for pattern in WASTE for path in root.glob(pattern)):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    (root / "usr/bin/python").symlink_to("python3")
    _run(["tar", "--numeric-owner", "-C", str(root), "-cf", str(folder / "base.tar"), "."])
    shutil.rmtree(root)
    (folder / "Dockerfile").write_text(DOCKERFILE)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise ClusterError(f"{command[0]} failed (exit code {done.returncode}):\n{tail}")
