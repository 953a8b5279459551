"""values.yaml says what every value does, and values.schema.json refuses what the chart cannot use."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.chart.chart import CHART, Refused, render

VALUES = (CHART / "values.yaml").read_text()
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
FREE = {"nodeSelector", "affinity", "podLabels", "podAnnotations", "annotations"}  # Kubernetes' own, empty by default
DOCUMENTED_AS_A_WHOLE = {"resources", "podSecurityContext", "securityContext"}


def leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every value that a user sets."""
    for name, value in values.items():
        here = (*path, name)
        if isinstance(value, dict) and value and name not in DOCUMENTED_AS_A_WHOLE:
            yield from leaves(value, here)
        else:
            yield here


def documented(text: str) -> set[tuple[str, ...]]:
    """The paths of the keys that follow a comment which begins with `# --`."""
    found: set[tuple[str, ...]] = set()
    path: list[str] = []
    pending = False
    for line in text.splitlines():
        if match := re.match(r"( *)([A-Za-z]+):", line):
            path[len(match[1]) // 2:] = [match[2]]
            found |= {tuple(path)} if pending else set()
            pending = False
        elif line.strip().startswith("#"):
            pending |= line.strip().startswith("# -- ")
    return found


def test_every_value_is_documented() -> None:
    assert set(leaves(yaml.safe_load(VALUES))) == documented(VALUES)


@pytest.mark.parametrize("path", [".".join(p) for p in leaves(yaml.safe_load(VALUES))])
def test_every_value_is_in_the_schema(path: str) -> None:
    at = SCHEMA
    for name in path.split("."):
        assert at["additionalProperties"] is False, f"the schema lets anything into the group of {path}"
        at = at["properties"][name]


def test_the_schema_has_no_value_that_the_chart_lacks() -> None:
    def paths(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for name, below in schema.get("properties", {}).items():
            is_group = "properties" in below and name not in FREE | DOCUMENTED_AS_A_WHOLE
            yield from paths(below, (*path, name)) if is_group else [(*path, name)]

    assert set(paths(SCHEMA)) - {("global",)} == set(leaves(yaml.safe_load(VALUES)))


@pytest.mark.parametrize("setting", [
    "wrokers=3", "engine.image=x", "crds.keep=true", "replicas=two", "replicas=-1", "workers=0", "workers=1.5",
    "logLevel=TRACE", "imagePullPolicy=Sometimes", "engine.imagePullPolicy=ifnotpresent", "engine.runAsUser=0",
    "engine.runAsUser=root", "engine.images.gpu=", "image=two words", "leaderElection.leaseSeconds=1",
    "metrics.service.port=70000", "crds.install=maybe", "imagePullSecrets[0]=name", "serviceAccount.name=Bad_Name",
    "nodeSelector.a=1", "resources.cpu=1",
])
def test_a_wrong_value_is_refused_by_name(setting: str) -> None:
    group = re.split(r"[.\[=]", setting)[0]
    with pytest.raises(Refused, match=rf"(?s)values don't meet the specifications.*{group}"):
        render("--set", setting)
