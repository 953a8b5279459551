"""Facts made from the pods and reports in data/seen: what the tests of facts, diagnose and status look at."""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from deepseekserve.facts import AgentReport, Facts, PodFacts, parse_pod, parse_report

FOLDER = Path(__file__).parent / "data" / "seen"
HASH = "0123456789"
NOW = datetime(2026, 11, 24, 12, 2, 30, tzinfo=UTC)


def raw_pod(situation: str) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(yaml.safe_load((FOLDER / "pods.yaml").read_text())[situation])
    return found


def pod(situation: str, **changes: Any) -> PodFacts:
    return replace(parse_pod(raw_pod(situation)), **changes)


def raw_report(situation: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "reports.json").read_text())[situation]
    return found


def report(situation: str, **changes: Any) -> AgentReport:
    found = parse_report(raw_report(situation))
    assert found
    return replace(found, **changes)


def deployment() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load((FOLDER / "deployment.yaml").read_text())
    return found


def facts(*pods: PodFacts, **changes: Any) -> Facts:
    return replace(Facts(now=NOW, revision=HASH, pods=pods), **changes)
