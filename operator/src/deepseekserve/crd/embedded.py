"""Turns the API server's own OpenAPI document into the schemas of core/v1 that the resource embeds, with bounds added.

Pure; a part of the CRD. `extract` makes core_v1.json (`python -m deepseekserve.crd --refresh-core FILE`), and `inline`
reads it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deepseekserve.api.group import Schema

FILE = Path(__file__).with_name("core_v1.json")
EMBEDDED = ("Affinity", "EnvVar", "Toleration", "TopologySpreadConstraint")
LEFT_OUT = {"EnvVarSource": ("fileKeyRef",)}          # of a volume, and the resource cannot ask for volumes
QUANTITY = {"x-kubernetes-int-or-string": True, "maxLength": 32}

ITEMS = 64                     # most items of a list, unless BOUNDS says otherwise
ENTRIES = 64                   # most entries of a map
CHARACTERS = 317               # most characters of a text: a label's key, 253 + 1 + 63
BOUNDS: Mapping[str, int] = {
    "EnvVar.value": 32768,
    "ObjectFieldSelector.fieldPath": 1024,
    "NodeSelectorRequirement.values": 256,
    "LabelSelectorRequirement.values": 256,
}
_SENTENCE = re.compile(r"(?s)(.+?(?<!\be\.g)(?<!\bi\.e)\.)(?:\s|$)")


def extract(openapi: Mapping[str, Any]) -> dict[str, Schema]:
    """Take from /openapi/v3/api/v1 what the resource embeds: short names, first sentences, no defaults."""
    schemas = {_short(name): schema for name, schema in openapi["components"]["schemas"].items() if _is_known(name)}
    found: dict[str, Schema] = {}
    waiting = list(EMBEDDED)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _definition(name, schemas[name])
            waiting += _references(found[name])
    return dict(sorted(found.items()))


def inline(name: str) -> Schema:
    """Write the schema of one type of core/v1 out in full, with a bound on every list, map and text."""
    return _bounded(json.loads(FILE.read_text(encoding="utf-8")), name)


def _is_known(name: str) -> bool:
    return name.startswith(("io.k8s.api.core.v1.", "io.k8s.apimachinery.pkg.apis.meta.v1."))


def _short(reference: str) -> str:
    return reference.rsplit(".", 1)[-1]


def _definition(name: str, schema: Schema) -> Schema:
    properties = {
        field: _plain(part) for field, part in schema["properties"].items() if field not in LEFT_OUT.get(name, ())}
    return {**_plain({key: value for key, value in schema.items() if key != "properties"}), "properties": properties}


def _plain(schema: Schema) -> Schema:
    """Drop defaults and further sentences; `allOf` with one reference, as OpenAPI writes it, becomes that reference."""
    plain = {key: value for key, value in schema.items() if key not in ("default", "allOf", "items")}
    if "description" in schema:
        plain["description"] = _first_sentence(schema["description"])
    if "allOf" in schema:
        target = _short(schema["allOf"][0]["$ref"])
        plain |= QUANTITY if target == "Quantity" else {"$ref": target}
    if "items" in schema:
        plain["items"] = _plain(schema["items"])
    if "additionalProperties" in schema:
        plain["additionalProperties"] = _plain(schema["additionalProperties"])
    return plain


def _first_sentence(text: str) -> str:
    match = _SENTENCE.match(text)
    return " ".join((match[1] if match else text).split())


def _references(definition: Schema) -> Iterable[str]:
    for part in definition["properties"].values():
        for schema in (part, part.get("items", {})):
            if "$ref" in schema:
                yield schema["$ref"]


def _bounded(definitions: Mapping[str, Schema], name: str) -> Schema:
    definition = definitions[name]
    properties = {
        field: _part(definitions, f"{name}.{field}", part) for field, part in definition["properties"].items()}
    return {**definition, "properties": properties}


def _part(definitions: Mapping[str, Schema], path: str, part: Schema) -> Schema:
    """Bound one field; a description of its own wins over that of its type."""
    if "$ref" in part:
        own = {key: value for key, value in part.items() if key != "$ref"}
        return {**_bounded(definitions, part["$ref"]), **own}
    match part:
        case {"type": "array", "items": items}:
            return {**part, "maxItems": BOUNDS.get(path, ITEMS), "items": _part(definitions, "", items)}
        case {"type": "object", "additionalProperties": values}:
            return {**part, "maxProperties": ENTRIES, "additionalProperties": _part(definitions, "", values)}
        case {"type": "string"} if "enum" not in part:
            return {**part, "maxLength": BOUNDS.get(path, CHARACTERS)}
    return part
