"""Renders the chart with the real Helm: settings in, objects out."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.tools import KUBERNETES, tool

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "deepseekserve"
SETTINGS = sorted((Path(__file__).parent / "settings").glob("*.yaml"))
RELEASE, NAMESPACE = "deepseekserve", "deepseekserve-system"

Object = dict[str, Any]


class Refused(AssertionError):
    """Helm did not do it; the text is what it said."""


def helm(*args: str) -> str:
    """Run helm and return what it printed; raises Refused with its complaint."""
    done = subprocess.run([str(tool("helm")), *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def render_text(*args: str, release: str = RELEASE) -> str:
    """The manifests as Helm would send them; `args` as for `helm template`."""
    return helm("template", release, str(CHART), "--namespace", NAMESPACE, "--kube-version", KUBERNETES, *args)


def render(*args: str, release: str = RELEASE) -> list[Object]:
    """The same as objects."""
    return [o for o in yaml.safe_load_all(render_text(*args, release=release)) if o]


def one(objects: list[Object], kind: str) -> Object:
    """The only object of a kind."""
    (found,) = [o for o in objects if o["kind"] == kind]
    return found


def with_settings(file: Path) -> list[str]:
    """Arguments that apply a file of settings."""
    return ["--values", str(file)]
