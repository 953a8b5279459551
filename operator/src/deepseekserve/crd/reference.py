"""Turns the resource's schema into docs/reference.md: every field with its type, default and what an edit of it does.

Pure; beside the flow. Made from what the API server is given, so the page cannot promise anything else.
"""

import json
from collections.abc import Container, Iterator, Mapping

from deepseekserve import api, crd
from deepseekserve.api.group import Schema
from deepseekserve.crd.columns import COLUMNS

_NAMES = {
    "string": "text", "date-time": "time", "boolean": "true or false",
    "integer": "whole number", "int64": "whole number",
}
INTRODUCTION = f"""\
<!-- Generated from operator/src/deepseekserve/api by `make crds`; do not edit. -->
# The DeepSeekServe resource

`deepseekserve.io/v1alpha1`, kind `DeepSeekServe`, short name `dss`, namespaced. Everything has a default but
`spec.model.source`:

```yaml
apiVersion: deepseekserve.io/v1alpha1
kind: DeepSeekServe
metadata:
  name: r1
spec:
  model:
    source: hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B
```

`kubectl explain dss.spec.engine.maxModelLen` shows the same descriptions in a terminal. The last column says what an
edit of the field does to pods that run: `rolls` means {api.Effect.ROLLS.value}, `keeps` means
{api.Effect.KEEPS.value}. The name of a resource has at most 63 lower-case letters, digits and `-`, begins with a letter
and ends with a letter or digit: a Service of the same name is made.
"""


def page() -> str:
    """Write the whole page."""
    properties = crd.root()["properties"]
    effects = {f"spec.{path}": effect.name.lower() for path, effect in api.effects(api.Spec).items()}
    spec = "\n".join(_groups("spec", properties["spec"], effects))
    status = "\n".join(_groups("status", properties["status"], {}))
    return f"{INTRODUCTION}\n{spec}\n## status\n\nOnly the operator writes it.\n\n{status}\n{_columns()}"


def _groups(path: str, group: Schema, effects: Mapping[str, str]) -> Iterator[str]:
    """Write the section of one group of fields, then those of the groups in it."""
    fields = {f"{path}.{name}": part for name, part in group["properties"].items()}
    plain = {name: part for name, part in fields.items() if not _has_section(name, part, effects)}
    if path != "status":
        yield f"## {path}\n\n{group['description']}\n"
    yield from _table(plain, group.get("required", ()), effects)
    yield from _rules(path, group)
    for name, part in fields.items():
        if name not in plain:
            yield from _groups(name, {**part, **part.get("items", {})}, effects)


def _has_section(path: str, schema: Schema, effects: Mapping[str, str]) -> bool:
    return path not in effects and "properties" in schema.get("items", schema)


def _table(fields: Mapping[str, Schema], required: Container[str], effects: Mapping[str, str]) -> Iterator[str]:
    """One row per field; the spec's have a default and an effect."""
    heads = ["field", "type", "what it says", *(["default", "edit"] if effects else [])]
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for path, schema in fields.items():
        name = path.rsplit(".", 1)[-1]
        default = "required" if name in required else _default(schema)
        more = [default, effects[path]] if effects else []
        yield f"| {' | '.join([f'`{name}`', _type(schema), _cell(schema['description']), *more])} |"
    yield ""


def _type(schema: Schema) -> str:
    match schema:
        case {"type": "array", "items": items, "maxItems": most}:
            return f"list, at most {most}: {_type(items)}"
        case {"additionalProperties": values, "maxProperties": most}:
            return f"map, at most {most}: {_type(values)}"
        case {"properties": properties}:
            return f"map of {', '.join(f'`{name}`' for name in properties)}"
    return _scalar(schema)


def _scalar(schema: Schema) -> str:
    match schema:
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"x-kubernetes-int-or-string": True}:
            return f"`{schema['default']}` or whole number" if "default" in schema else "quantity"
        case {"type": "integer", "minimum": least, "maximum": most}:
            return f"whole number, {least} to {most}"
    return _NAMES[schema.get("format") or schema["type"]]


def _default(schema: Schema) -> str:
    """What the API server fills in; a default that depends on other fields stands in the description."""
    default = schema.get("default")
    return f"`{json.dumps(default)}`" if default not in (None, [], {}) else ""


def _rules(path: str, group: Schema) -> Iterator[str]:
    """What is refused although each field for itself is right."""
    for rule in group.get("x-kubernetes-validations", ()):
        yield f"* `{path}{rule['fieldPath']}`: {rule['message']}."
    if "x-kubernetes-validations" in group:
        yield ""


def _columns() -> str:
    rows = (
        f"| {column.name.upper()} | `{column.path}`{' (`-o wide`)' if column.priority else ''} | {column.description} |"
        for column in COLUMNS
    )
    return "\n".join(["## kubectl get dss", "", "| column | from | what it says |", "|---|---|---|", *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
