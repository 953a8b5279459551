"""Turns a cluster's name and the environment into folders, whatever the checkout and the current folder."""

import os
import pwd
import re
from pathlib import Path

from tests.cluster.errors import ClusterError

DEFAULT_NAME = "dss"
NAME = re.compile(r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?")


def cache() -> Path:
    """Where built programs and archives are kept, shared by every checkout and cluster.

    Where HOME is not the account's own (sudo, wrappers that isolate a tool), a cache that the account has is used.
    """
    if configured := os.environ.get("DSS_CACHE"):
        return Path(configured).absolute()
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deepseekserve"
    accounts = Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".cache" / "deepseekserve"
    return accounts if accounts.exists() and not own.exists() else own


def states() -> Path:
    """Where each cluster has a folder with its state."""
    if configured := os.environ.get("DSS_STATE"):
        return Path(configured).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/deepseekserve-cluster")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "deepseekserve-cluster"


def state(name: str) -> Path:
    """The folder of one cluster; raises ClusterError when the name cannot become an interface, cgroup or label."""
    if not NAME.fullmatch(name):
        raise ClusterError(
            f"--name {name!r}: use at most 20 lower-case letters, digits and dashes; a letter first, no dash last"
        )
    return states() / name
