"""Starts and ends clusters, one run at a time for each name, and finds a running one. What the command line calls.

    wanted -> choose a provider -> images to begin with -> provider.up -> GPUs, nodes made of air -> remember -> images
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tests.cluster import archive, extras, record
from tests.cluster.errors import ClusterError, Missing
from tests.cluster.kind import Kind, docker_answers, require_docker
from tests.cluster.local import Local
from tests.cluster.lock import locked
from tests.cluster.paths import DEFAULT_NAME, state, states
from tests.cluster.processes import Processes
from tests.cluster.progress import say
from tests.cluster.tools import tool

PROVIDERS = ("local", "kind")
LOADED = "loaded.json"


class Cluster(Protocol):
    """What a provider can do; `Local` and `Kind` are the two."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> Path: ...
    @property
    def kubeconfig(self) -> Path: ...
    @property
    def processes(self) -> Processes: ...
    def node_name(self) -> str: ...
    def stock(self, archives: Sequence[Path]) -> bool: ...
    def up(self) -> None: ...
    def stop(self) -> None: ...
    def down(self) -> None: ...
    def running(self) -> dict[str, bool]: ...
    def is_ready(self) -> bool: ...
    def load(self, file: Path) -> None: ...
    def images(self) -> set[str]: ...
    def command(self, *command: str) -> list[str]: ...
    def make_volume(self, name: str) -> str: ...


@dataclass(frozen=True)
class Wanted:
    """What `up` is asked for; None and empty mean: as it is, or the default."""

    name: str = DEFAULT_NAME
    provider: str = "auto"
    gpus: int | None = None
    kwok: Path | None = None
    image: str = ""
    archives: tuple[Path, ...] = ()        # of images that it has then; a new local node begins with them


def up(wanted: Wanted) -> Cluster:
    """Have the cluster run as wanted, whatever state it is in; returns when its node is ready."""
    with _only_run(wanted.name):
        known = record.read(state(wanted.name))
        provider = _choose(wanted, known)
        known = known or record.Record(provider)
        known.save(state(wanted.name))
        cluster = _cluster(wanted.name, provider, wanted.image)
        if wanted.archives and cluster.stock(wanted.archives):
            _note(cluster, archive.images(*wanted.archives))
        cluster.up()
        known = record.read(cluster.state) or known
        known = replace(
            known, gpus=known.gpus if wanted.gpus is None else wanted.gpus, kwok=known.kwok or wanted.kwok is not None
        )
        _equip(cluster, known, wanted.kwok)
        known.save(cluster.state)
        for file in wanted.archives:
            _load(cluster, file)
        return cluster


def stop(name: str) -> None:
    """End the cluster's processes and keep its state."""
    with _only_run(name):
        find(name).stop()


def down(name: str) -> None:
    """End the cluster and everything that is left of it, whether or not it is known or whole."""
    with _only_run(name):
        for cluster in _suspects(name):
            cluster.down()
    with contextlib.suppress(OSError):
        states().rmdir()        # only when it is empty


def load(name: str, file: Path) -> bool:
    """Load an image archive into the cluster; False when the very same images are there already."""
    with _only_run(name):
        return _load(find(name), file)


def find(name: str = DEFAULT_NAME) -> Cluster:
    """The cluster of a name, running or stopped; raises ClusterError when there is none."""
    known = record.read(state(name))
    if known is None:
        raise ClusterError(f"there is no cluster {name}: python -m tests.cluster --name {name} up")
    return _cluster(name, known.provider)


def environment(cluster: Cluster) -> dict[str, str]:
    """The environment in which kubectl, helm and other clients find the cluster."""
    clients = f"{cluster.state / 'bin'}:{os.environ.get('PATH', '')}"
    return {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PATH": clients}


def _load(cluster: Cluster, file: Path) -> bool:
    wanted, loaded = archive.images(file), _loaded(cluster)
    if wanted and all(loaded.get(tag) == digest for tag, digest in wanted.items()):
        present = cluster.images()
        if all(any(p == tag or p.endswith(f"/{tag}") for p in present) for tag in wanted):
            return False
    cluster.load(file)
    _note(cluster, {**loaded, **wanted})
    return True


def _loaded(cluster: Cluster) -> dict[str, str]:
    """The images that were loaded: name with tag -> digest of the configuration."""
    notes = cluster.state / LOADED
    return json.loads(notes.read_text()) if notes.exists() else {}


def _note(cluster: Cluster, loaded: Mapping[str, str]) -> None:
    (cluster.state / LOADED).write_text(json.dumps(loaded, indent=1))


def _choose(wanted: Wanted, known: record.Record | None) -> str:
    if known:
        if wanted.provider not in ("auto", known.provider):
            raise ClusterError(
                f"cluster {wanted.name} is of provider {known.provider}: "
                f"`python -m tests.cluster --name {wanted.name} down` first, or choose another --name"
            )
        return known.provider
    is_root_on_linux = sys.platform == "linux" and os.geteuid() == 0
    if wanted.provider == "local" and not is_root_on_linux:
        raise Missing("provider local needs Linux and root: use sudo, or Docker with --provider kind")
    if wanted.provider == "kind":
        require_docker()
    if wanted.provider != "auto":
        return wanted.provider
    if docker_answers():
        return "kind"
    if is_root_on_linux:
        return "local"
    raise Missing(
        "neither Docker nor root: a cluster needs a Docker daemon that answers (`docker info`; start it, or join the "
        "group `docker`), or root on Linux (sudo), where it runs without Docker"
    )


def _cluster(name: str, provider: str, image: str = "") -> Cluster:
    return Kind(name, image) if provider == "kind" else Local(name)


def _suspects(name: str) -> list[Cluster]:
    """The cluster that is remembered under this name; without a legible note, whatever could be there."""
    with contextlib.suppress(ClusterError):
        if known := record.read(state(name)):
            return [_cluster(name, known.provider)]
    suspects: list[Cluster] = [Local(name)] if sys.platform == "linux" and os.geteuid() == 0 else []
    return [*suspects, Kind(name)] if docker_answers() else suspects


def _equip(cluster: Cluster, known: record.Record, kwok_nodes: Path | None) -> None:
    kubectl = [str(tool("kubectl")), f"--kubeconfig={cluster.kubeconfig}"]
    extras.advertise_gpus(kubectl, cluster.node_name(), known.gpus)
    if kwok_nodes:
        say(f"nodes made of air: {', '.join(extras.add_fake_nodes(kubectl, kwok_nodes))}")
    if known.kwok:
        cluster.processes.ensure(extras.KWOK, extras.kwok_command(tool("kwok"), cluster.kubeconfig))


@contextmanager
def _only_run(name: str) -> Iterator[None]:
    folder = state(name)
    with locked(folder.with_name(f".{name}.lock"), f"cluster {name}"):
        yield
