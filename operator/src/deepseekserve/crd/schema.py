"""Turns a pydantic model into a structural schema, as a CRD must have it.

Pure; a part of the CRD. What pydantic writes and Kubernetes refuses is rewritten here, and nowhere else.
"""

from pydantic import BaseModel

from deepseekserve.api.forms import CORE
from deepseekserve.api.group import Schema
from deepseekserve.crd.embedded import inline

# Reading order of a field's keys in the YAML; what is not here follows, then what is nested.
_ORDER = ("description", "type", "format", "enum", "default", "minimum", "maximum", "minLength", "maxLength")
_NESTED = ("x-kubernetes-validations", "required", "additionalProperties", "items", "properties")
_DROPPED = ("title", "$ref", "anyOf", "const", "exclusiveMinimum", "exclusiveMaximum", CORE)


def schema_of(model: type[BaseModel], *, with_defaults: bool = True) -> Schema:
    """Write the model as one structural schema, without references."""
    schema = model.model_json_schema(by_alias=True)
    return _structural(schema, schema.get("$defs", {}), with_defaults=with_defaults)


def _structural(schema: Schema, definitions: Schema, *, with_defaults: bool) -> Schema:
    whole = _resolved(schema, definitions)
    kept = {key: value for key, value in whole.items() if key not in (*_DROPPED, "$defs", "default")}
    kept |= _bounds(whole)
    if "const" in whole:
        kept["enum"] = [whole["const"]]
    if "description" in kept:
        kept["description"] = " ".join(kept["description"].split())
    if with_defaults and whole.get("default") is not None:
        kept["default"] = {} if "properties" in whole else whole["default"]
    if kept.get("additionalProperties") in (True, False):
        del kept["additionalProperties"]
    for key in ("items", "additionalProperties"):
        if key in kept:
            kept[key] = _structural(kept[key], definitions, with_defaults=with_defaults)
    if "properties" in kept:
        kept["properties"] = {
            name: _structural(part, definitions, with_defaults=with_defaults)
            for name, part in kept["properties"].items()
        }
    return _ordered(kept)


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """Write out references; what stands beside one, such as the field's own description, wins.

    A field that may be absent (T or null) is T: the API server itself takes a null away where none is allowed, and
    rules then need not tell null from absent.
    """
    if "$ref" in schema:
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        return _resolved({**target, **{key: value for key, value in schema.items() if key != "$ref"}}, definitions)
    if CORE in schema:
        return {**inline(schema[CORE]), **schema}
    if "anyOf" in schema:
        (one,) = (part for part in schema["anyOf"] if part != {"type": "null"})
        return _resolved({**one, **{key: value for key, value in schema.items() if key != "anyOf"}}, definitions)
    return schema


def _bounds(schema: Schema) -> Schema:
    """Kubernetes has the exclusive bounds of OpenAPI 3.0: a bound, and a boolean beside it."""
    pairs = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
    return {
        key: value for bound, exclusive in pairs if exclusive in schema
        for key, value in ((bound, schema[exclusive]), (exclusive, True))
    }


def _ordered(schema: Schema) -> Schema:
    def rank(key: str) -> int:
        if key in _ORDER:
            return _ORDER.index(key)
        return len(_ORDER) + (1 + _NESTED.index(key) if key in _NESTED else 0)

    return {key: schema[key] for key in sorted(schema, key=rank)}
