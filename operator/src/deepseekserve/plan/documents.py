"""Turns files, patterns and standard input into resources, each with the place it comes from.

Documents of other kinds are passed over, and so are files with nothing else, as a folder of manifests has many. When no
file has a resource, that is a problem like a resource that the API server would refuse.
"""

import glob
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from deepseekserve import api, names, render
from deepseekserve.api import InvalidSpec

STANDARD_INPUT = "-"
MOST_NODES = 1_000_000
_SAFE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(_SAFE):  # type: ignore[misc, valid-type]
    """Leaves times as text, as kubectl does."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name for it
        first: [resolver for resolver in resolvers if resolver[0] != _TIMESTAMP]
        for first, resolvers in _SAFE.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True)
class Found:
    """One resource, or `problem`: why there is none."""

    place: str
    name: str = ""
    serve: api.DeepSeekServe | None = None
    problem: str = ""


def read(files: Sequence[str]) -> Iterator[Found]:
    """All resources of all files, in their order."""
    found = [one for name in files for match in _matches(name) for one in _file(match)]
    yield from found or [Found(" ".join(files), problem=f"no {names.KIND} in it")]


def _matches(name: str) -> list[str]:
    return [name] if name == STANDARD_INPUT else sorted(glob.glob(name, recursive=True)) or [name]


def _file(name: str) -> Iterator[Found]:
    place = "standard input" if name == STANDARD_INPUT else name
    try:
        text = sys.stdin.read() if name == STANDARD_INPUT else Path(name).read_text(encoding="utf-8")
        read = list(yaml.load_all(text, _Loader))
        if sum(_nodes(document, {}) for document in read) > MOST_NODES:
            raise ValueError("its aliases (&, *) make more of it than anybody has written")
        documents = [item for document in read for item in _items(document)]
    except (OSError, RecursionError, ValueError, yaml.YAMLError) as error:
        yield Found(place, problem=_one_line(error))
        return
    yield from (_resource(place, document) for document in documents if document.get("kind") == names.KIND)


def _nodes(node: object, known: dict[int, int]) -> int:
    """How many values there are, each alias counted as all that it stands for; one that holds itself is too many."""
    children = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    if children and id(node) not in known:
        known[id(node)] = MOST_NODES
        known[id(node)] = 1 + sum(_nodes(child, known) for child in children)
    return known.get(id(node), 1)


def _items(document: object) -> list[Mapping[str, Any]]:
    """A document, or what a List holds."""
    if not isinstance(document, Mapping):
        return []
    items = document.get("items")
    is_list = document.get("kind") == "List" and isinstance(items, list)
    return [item for item in items or () if isinstance(item, Mapping)] if is_list else [document]


def _resource(place: str, raw: Mapping[str, Any]) -> Found:
    """What the API server would make of it, with the parts of metadata that only the server knows."""
    metadata = raw.get("metadata")
    given = dict(metadata) if isinstance(metadata, Mapping) else {}
    name = str(given.get("name") or "")
    if raw.get("apiVersion") != names.API_VERSION:
        return Found(place, name, problem=f"apiVersion is {raw.get('apiVersion')!r}: write {names.API_VERSION}")
    if not name:
        return Found(place, problem="metadata.name is missing")
    if strange := next(_unknown(raw.get("spec"), api.Spec, "spec"), None):
        return Found(place, name, problem=f"{strange} is no field of the resource")
    try:
        serve = api.parse({**raw, "metadata": {"namespace": "default", "uid": "none", **given}})
        render.check(serve)
    except InvalidSpec as error:
        return Found(place, name, problem=str(error))
    return Found(place, name, serve)


def _unknown(raw: object, group: type[BaseModel], path: str) -> Iterator[str]:
    """Fields that the resource does not have, which kubectl refuses and the operator would never see."""
    fields = {field.alias or name: field.annotation for name, field in group.model_fields.items()}
    for key, value in raw.items() if isinstance(raw, Mapping) else ():
        if key not in fields:
            yield f"{path}.{key}"
        elif isinstance(part := fields[key], type) and issubclass(part, BaseModel):
            yield from _unknown(value, part, f"{path}.{key}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
