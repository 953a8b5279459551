"""Facts made from the pods and reports in data/seen: what the tests of facts, diagnose and status look at."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deepseekserve.facts import AgentReport, Facts, Mounting, PodFacts, Trouble, parse_pod, parse_report

Words = dict[str, Any]

FOLDER = Path(__file__).parent / "data" / "seen"
HASH = "0123456789"
LONG_AGO = "2026-11-24T12:00:00Z"
NOW = datetime(2026, 11, 24, 12, 2, 30, tzinfo=UTC)


@cache
def seen(file: str) -> Any:
    """What a file of the folder holds: reading one takes longer than most tests."""
    return yaml.safe_load((FOLDER / file).read_text())


def raw_pod(situation: str) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(seen("pods.yaml")[situation])
    return found


def pod(situation: str, **changes: Any) -> PodFacts:
    return replace(parse_pod(raw_pod(situation)), **changes)


def raw_report(situation: str) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(seen("reports.json")[situation])
    return found


def report(situation: str, **changes: Any) -> AgentReport:
    found = parse_report(raw_report(situation))
    assert found
    return replace(found, **changes)


def deployment() -> Mapping[str, Any]:
    found: Mapping[str, Any] = copy.deepcopy(seen("deployment.yaml"))
    return found


def words(about: str) -> list[Words]:
    found: list[Words] = copy.deepcopy(seen("words.yaml")[about])
    return found


def said_of(about: str, said: Words) -> Facts:
    """A resource of which Kubernetes has said this."""
    text = said["says"]
    match about:
        case "scheduler":
            unscheduled = Trouble("Unschedulable", text, LONG_AGO)
            return facts(pod("hanging", scheduled=False, waiting=None, unscheduled=unscheduled))
        case "images":
            return facts(pod("hanging", waiting=Trouble(said.get("waits", "ErrImagePull"), text)))
        case "containers":
            return facts(pod("hanging", waiting=Trouble("CreateContainerConfigError", text)))
        case "volumes":
            trouble = Trouble(said.get("event", "FailedMount"), " ".join(text.split()), LONG_AGO)
            return facts(pod("hanging", mounting=Mounting(done=False, trouble=trouble)))
        case "evictions":
            ended = Trouble(said["condition"], text, LONG_AGO) if "condition" in said else None
            over = Trouble(said.get("over", "Evicted"), text, LONG_AGO) if "over" in said or not ended else None
            gone = pod("draining", name="old", over=over, deleting=over is None, disrupted=ended)
            return facts(gone, pod("scheduling", name="new"))
    return facts(refusal=Trouble("FailedCreate", text, LONG_AGO))


def events(situation: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((FOLDER / "events.yaml").read_text())[situation]
    return found


def facts(*pods: PodFacts, **changes: Any) -> Facts:
    return replace(Facts(now=NOW, revision=HASH, pods=pods), **changes)
