"""Turns `spec.podTemplate` into a part of a pod template, of bounded size: any field of a Pod may stand in it.

Pure; a form of api. The API server keeps what it does not know there, so its bounds are checked here; which fields are
refused stands in `render.refusals`.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from deepseekserve.api.group import Schema

MOST_BYTES = 65_536            # as JSON; a ControllerRevision keeps it twice, and etcd takes 1.5 MiB
MOST_LEVELS = 32               # the deepest field of a pod is about half of that
PARTS = ("metadata", "spec")

_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_TEXTS = {"type": "object", "maxProperties": 64, "additionalProperties": {"type": "string", "maxLength": 32768}}


class PodOverlay:
    """A part of a core/v1 PodTemplateSpec, without nulls: a null says nothing, as everywhere in the resource."""

    @staticmethod
    def check(value: Any) -> dict[str, Any]:
        """Return the part without nulls; raises ValueError when it is no such part, or too large."""
        if not isinstance(value, Mapping):
            raise ValueError("set a map with metadata, spec or both, as in the template of a Deployment")
        if _is_deeper(value, MOST_LEVELS):
            raise ValueError(f"is nested more than {MOST_LEVELS} levels deep, which no field of a Pod is: remove that")
        for part in value:
            if part not in PARTS:
                raise ValueError(f"has no {part!r}: remove it; metadata and spec are what a pod template has")
        if len(json.dumps(value)) > MOST_BYTES:
            raise ValueError(f"is larger than {MOST_BYTES} bytes: move files and scripts into a ConfigMap or an image")
        return {key: part for key, part in _without_nulls(value).items() if part != {}}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.check)

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        metadata = {
            **_ANYTHING,
            "description": "Labels and annotations of the pods.",
            "properties": {
                "labels": {**_TEXTS, "description": "Further labels of the pods. Default: none."},
                "annotations": {**_TEXTS, "description": "Annotations of the pods. Default: none."},
            },
        }
        spec = {**_ANYTHING, "description": "Fields of a PodSpec (kubectl explain pod.spec). Default: none."}
        return {**_ANYTHING, "properties": {"metadata": metadata, "spec": spec}}


def _is_deeper(value: Any, levels: int) -> bool:
    """Tell whether maps and lists are nested deeper than that; without recursion, as the nesting may be any."""
    level = [value]
    for _ in range(levels):
        level = [item for parent in level for item in _items(parent)]
        if not level:
            return False
    return any(_items(item) for item in level)


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
