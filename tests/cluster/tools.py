"""Turns pinned Go modules into programs in the cache, each in a folder named by the content of what it is made from.

`tool("helm")` is all that other code needs: it builds what is missing, once, whoever asks first.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import tied
from tests.cluster.errors import ClusterError, Missing
from tests.cluster.lock import locked
from tests.cluster.paths import cache
from tests.cluster.progress import say
from tests.prerequisites import GO, go_version

HERE = Path(__file__).parent
KUBERNETES = "v1.34.4"
BEAT_S = 15  # a long build says so this often

_MAJOR, _MINOR = KUBERNETES.removeprefix("v").split(".")[:2]
_VERSION = "k8s.io/component-base/version"
_VERSION_FLAGS = " ".join((
    f"-X {_VERSION}.gitVersion={KUBERNETES}",
    f"-X {_VERSION}.gitMajor={_MAJOR}",
    f"-X {_VERSION}.gitMinor={_MINOR}",
    f"-X {_VERSION}.gitTreeState=clean",
    f"-X k8s.io/client-go/pkg/version.gitVersion={KUBERNETES}",
))
# Else helm takes itself for Kubernetes 1.20 in `helm template` and `helm lint`, and refuses charts that need more.
_HELM_FLAGS = " ".join(
    f"-X helm.sh/helm/v3/pkg/{package}.k8sVersion{part}={number}"
    for package in ("chartutil", "lint/rules") for part, number in (("Major", _MAJOR), ("Minor", _MINOR))
)


@dataclass(frozen=True)
class Recipe:
    """How one program is made: from a module at a version, or from a folder beside this file."""

    source: str                      # MODULE/PACKAGE@VERSION, or the name of a folder here
    ldflags: str = "-s -w"
    links: tuple[str, ...] = ()      # further names of the program, which it looks at
    expect: str = "2 minutes"        # on two cores, with an empty Go cache

    @property
    def folder(self) -> Path | None:
        """The source folder, when the program is made from one."""
        return None if "@" in self.source else HERE / self.source


RECIPES = {
    "kubernetes": Recipe("kubernetes", f"-s -w {_VERSION_FLAGS}", links=("kubectl",), expect="7 minutes"),
    "pause": Recipe("pause", expect="10 seconds"),
    "coredns": Recipe("github.com/coredns/coredns@v1.12.4"),
    "helm": Recipe("helm.sh/helm/v3/cmd/helm@v3.22.0", f"-s -w {_HELM_FLAGS}"),
    "kwok": Recipe("sigs.k8s.io/kwok/cmd/kwok@v0.7.0"),
    "kind": Recipe("sigs.k8s.io/kind@v0.30.0"),
    "actionlint": Recipe("github.com/rhysd/actionlint/cmd/actionlint@v1.7.12", expect="20 seconds"),
}
LINKS = {link: name for name, recipe in RECIPES.items() for link in recipe.links}


def tool(name: str) -> Path:
    """The program `name`, built when it is missing; raises Missing without Go, ClusterError when the build fails."""
    if name == "kind" and (installed := shutil.which("kind")):
        return Path(installed)
    made_by = LINKS.get(name, name)
    recipe = RECIPES[made_by]
    folder = cache() / f"{made_by}-{key(recipe)}"
    if not (folder / name).exists():
        with locked(folder.with_suffix(".lock"), f"building {made_by}"):
            if not (folder / name).exists():
                _build(made_by, recipe, folder)
    return folder / name


def key(recipe: Recipe) -> str:
    """Twelve hex digits over everything that decides what is built; the Go version is not part of it."""
    machine = os.uname()
    made_from = (recipe.source, recipe.ldflags, recipe.links, machine.sysname, machine.machine)
    digest = hashlib.sha256(repr(made_from).encode())
    for file in sorted(recipe.folder.iterdir()) if recipe.folder else ():
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _build(name: str, recipe: Recipe, folder: Path) -> None:
    go = _go(name)
    for left in folder.parent.glob(f".{folder.name}-*"):      # of a killed run: we hold the lock
        shutil.rmtree(left)
    say(f"{name}: building {recipe.source} (cold, on two cores: {recipe.expect})")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        flags = ["-trimpath", "-buildvcs=false", "-ldflags", recipe.ldflags]
        if recipe.folder:
            command = [go, "build", "-C", str(recipe.folder), *flags, "-o", str(made / name), "."]
        else:
            command = [go, "install", *flags, recipe.source]
        _run(command, {**_environment(), "GOBIN": str(made)}, Path(scratch) / "log", name)
        for link in recipe.links:
            (made / link).symlink_to(name)
        made.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    say(f"{name}: built, kept in {folder}")


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("GOFLAGS", "GOOS", "GOARCH", "GOWORK")}
    return {**kept, "CGO_ENABLED": "0", "GOWORK": "off"}


def _run(command: list[str], environment: dict[str, str], log: Path, name: str) -> None:
    with log.open("wb") as out, subprocess.Popen(tied(command), env=environment, stdout=out, stderr=out) as process:
        beats = 0
        while True:
            try:
                code = process.wait(timeout=BEAT_S)
                break
            except subprocess.TimeoutExpired:
                beats += 1
                say(f"{name}: still building, {beats * BEAT_S} s")
    if code:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ClusterError(f"building {name} failed (exit code {code}):\n{tail}")


def _go(name: str) -> str:
    found = shutil.which("go")
    wanted = f"Go {GO[0]}.{GO[1]} or later is needed to build {name}"
    if found is None:
        raise Missing(f"{wanted}: see https://go.dev/doc/install, then put its bin folder on PATH")
    version = go_version()
    if version is not None and version < GO:
        raise Missing(f"{wanted} (this is {version[0]}.{version[1]}): see https://go.dev/doc/install")
    return found
