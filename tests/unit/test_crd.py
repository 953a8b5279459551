"""The CRD, the chart's copy and the reference page: fresh, structural, bounded, described."""

import json
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from pydantic import BaseModel, Field

from deepseekserve import api, crd
from deepseekserve.crd import __main__ as command
from deepseekserve.crd import embedded, reference
from deepseekserve.crd.schema import schema_of

ROOT = Path(__file__).parents[2]
OPENAPI = Path(__file__).parent / "data" / "kubernetes-1.34-core-v1.json"
CLIENT_SIDE_APPLY_LIMIT = 262_144          # bytes of all annotations of an object
SPEC = crd.root()["properties"]["spec"]


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from walk(part, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from walk(schema[key], f"{path}[]")


# Files

@pytest.mark.parametrize("file", command.FILES)
def test_a_generated_file_is_what_make_crds_would_write(file: str) -> None:
    assert (ROOT / file).read_text(encoding="utf-8") == command.FILES[file](), "run `make crds`"


def test_the_command_writes_all_files_below_a_root(tmp_path: Path) -> None:
    assert command.main(["--write", str(tmp_path)]) == 0
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(command.FILES)


def test_the_command_prints_the_definition(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["crd"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(command.__file__), run_name="__main__")
    assert end.value.code == 0
    assert capsys.readouterr().out == crd.to_yaml()


def test_the_command_takes_the_schemas_of_core_from_an_openapi_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    stored = embedded.FILE.read_text(encoding="utf-8")
    monkeypatch.setattr(embedded, "FILE", tmp_path / "core_v1.json")
    assert command.main(["--refresh-core", str(OPENAPI)]) == 0
    assert (tmp_path / "core_v1.json").read_text(encoding="utf-8") == stored
    assert capsys.readouterr().out == ""


# Structure

def test_nothing_is_left_of_what_kubernetes_refuses_in_a_schema() -> None:
    for path, schema in walk(crd.root()):
        refused = {"$ref", "$defs", "title", "anyOf", "allOf", "oneOf", "const", "nullable", "x-core"}
        assert set(schema) & refused == set(), path
        assert not isinstance(schema.get("additionalProperties"), bool), path


def test_every_list_map_and_text_of_the_spec_and_the_status_has_a_bound() -> None:
    parts = {name: crd.root()["properties"][name] for name in ("spec", "status")}
    for root, part in parts.items():
        for path, schema in walk(part, root):
            bounds = {"array": "maxItems", "string": "maxLength"}
            is_closed = "enum" in schema or schema.get("format") == "date-time"
            if (kind := schema.get("type")) in bounds and not is_closed:
                assert bounds[kind] in schema, path
            if "additionalProperties" in schema:
                assert "maxProperties" in schema, path
            if schema.get("x-kubernetes-int-or-string"):
                assert "maxLength" in schema, path


def test_every_field_is_described() -> None:
    fields = [(path, schema) for path, schema in walk(SPEC, "spec") if not path.endswith("]")]
    assert [path for path, schema in fields if not schema.get("description")] == []


def test_every_field_of_the_spec_says_its_default_or_is_the_source() -> None:
    silent = {
        path for path, schema in walk(SPEC)
        if path.removeprefix(".") in api.effects(api.Spec) and not re.search(r"\bDefault\b", schema["description"])
    }
    assert silent == {".model.source"}


def test_a_default_that_is_described_is_the_default() -> None:
    for path, schema in walk(SPEC):
        default = schema.get("default")
        if path.removeprefix(".") in api.effects(api.Spec) and default not in (None, [], {}):
            said = json.dumps(default) if isinstance(default, bool) else str(default)
            assert f"Default: {said}" in schema["description"], path


def test_every_rule_says_what_to_do() -> None:
    for path, schema in walk(crd.root()):
        for rule in schema.get("x-kubernetes-validations", ()):
            assert re.search(r"\b(set|remove|raise|lower|choose|change)\b", rule["message"]), path


def test_only_the_source_is_required_and_the_groups_that_lead_to_it() -> None:
    assert crd.root()["required"] == ["spec"]
    assert SPEC["required"] == ["model"]
    assert SPEC["properties"]["model"]["required"] == ["source"]


def test_defaults_that_depend_on_the_device_are_not_in_the_schema() -> None:
    gpu, engine = SPEC["properties"]["resources"]["properties"]["gpu"], SPEC["properties"]["engine"]["properties"]
    assert "default" not in gpu["properties"]["count"]
    assert "default" not in engine["memoryUtilizationPercent"]
    assert "default" not in engine["kvCacheMemory"]


def test_a_group_defaults_to_an_empty_one_so_that_its_fields_are_filled() -> None:
    assert SPEC["properties"]["engine"]["default"] == {}
    assert SPEC["properties"]["resources"]["properties"]["gpu"]["default"] == {}


def test_a_status_begins_with_a_generation_that_never_was_and_has_no_other_default() -> None:
    status = crd.root()["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert [path for path, schema in walk(status) if path and "default" in schema] == []


def test_the_definition_is_well_below_what_client_side_apply_can_annotate() -> None:
    assert len(json.dumps(crd.definition())) < CLIENT_SIDE_APPLY_LIMIT // 3


def test_the_columns_stand_in_the_order_of_the_design() -> None:
    columns = crd.definition()["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [c["name"].upper() for c in columns if not c.get("priority")] == [
        "MODEL", "READY", "PHASE", "PROGRESS", "REASON", "CONTEXT", "QUANT", "AGE"]
    assert [c["name"].upper() for c in columns if c.get("priority")] == ["URL", "GPUS"]


def test_the_yaml_is_the_definition_and_the_same_at_each_call() -> None:
    text = crd.to_yaml()
    assert yaml.safe_load(text) == crd.definition()
    assert crd.to_yaml() == text


def test_what_pydantic_writes_otherwise_becomes_what_kubernetes_takes() -> None:
    class Odd(BaseModel):
        """What our models do not use today."""

        one: Literal["One"] = "One"
        above: int = Field(default=5, gt=0, lt=9)
        free: dict[str, Any] | None = Field(default=None, description="Anything\n  at all.")

    assert schema_of(Odd)["properties"] == {
        "one": {"type": "string", "enum": ["One"], "default": "One"},
        "above": {
            "type": "integer", "default": 5,
            "minimum": 0, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": True,
        },
        "free": {"description": "Anything at all.", "type": "object"},
    }


# core/v1

def test_the_stored_schemas_of_core_are_those_of_the_api_server() -> None:
    openapi = json.loads(OPENAPI.read_text(encoding="utf-8"))
    assert embedded.extract(openapi) == json.loads(embedded.FILE.read_text(encoding="utf-8"))


def test_a_variable_cannot_come_from_a_file_of_a_volume() -> None:
    assert "fileKeyRef" not in embedded.inline("EnvVar")["properties"]["valueFrom"]["properties"]


def test_descriptions_of_core_are_one_sentence() -> None:
    described = [schema["description"] for _, schema in walk(embedded.inline("Affinity")) if "description" in schema]
    assert max(map(len, described)) < 400
    assert all("\n" not in text for text in described)


# Reference page

def test_the_page_has_a_row_for_every_field_of_the_spec_with_what_an_edit_does() -> None:
    page = reference.page()
    for path, effect in api.effects(api.Spec).items():
        group, _, field = f"spec.{path}".rpartition(".")
        section = page.split(f"\n## {group}\n", 1)[1].split("\n## ", 1)[0]
        row = next(line for line in section.splitlines() if line.startswith(f"| `{field}` |"))
        assert row.endswith(f"| {effect.name.lower()} |")


def test_the_page_has_every_rule_across_fields() -> None:
    page = reference.page()
    for rule in SPEC["x-kubernetes-validations"]:
        assert f"`spec{rule['fieldPath']}`: {rule['message']}." in page
