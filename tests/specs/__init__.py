"""The table of specs that are refused or accepted, read by the unit tests and held against the real API server."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent
MINIMAL: dict[str, Any] = {"model": {"source": "hf://a/b"}}


@dataclass(frozen=True)
class SpecCase:
    """One row of a table."""

    name: str
    spec: dict[str, Any]
    api_server: str = ""
    operator: str = ""

    def __str__(self) -> str:
        return self.name


def cases(file: str) -> list[SpecCase]:
    rows = yaml.safe_load((DATA / file).read_text(encoding="utf-8"))
    return [
        SpecCase(row["case"], merged(MINIMAL, row["spec"]), row.get("api_server", ""), row.get("operator", ""))
        for row in rows
    ]


def merged(old: Any, new: Any) -> Any:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}


def patch_of(fixes: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """The merge patch of a resource that sets each fix's field to its value, which is written as YAML."""
    patch: dict[str, Any] = {}
    for fix in fixes:
        *path, last = fix["field"].split(".")
        inner = patch
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = yaml.safe_load(fix["value"])
    return patch


REFUSED = cases("refused.yaml")
ACCEPTED = cases("accepted.yaml")
