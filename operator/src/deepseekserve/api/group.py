"""Turns a map of fields into a frozen group of typed values; unknown fields and nulls are forgotten.

Pure; what all models of the resource share. A group carries its cross-field rules, which the API server enforces (CEL).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

Schema = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """A CEL rule, what to do when it is broken, and the field that the message is put at."""

    cel: str
    message: str
    at: str = ""                       # as CEL's fieldPath: .resources.gpu.count

    def schema(self) -> Schema:
        """One item of x-kubernetes-validations."""
        place = {"fieldPath": self.at} if self.at else {}
        return {"rule": self.cel, "message": self.message, **place}


def with_rules(schema: Schema, *rules: Rule) -> Schema:
    """Add rules to a JSON schema."""
    old = schema.get("x-kubernetes-validations", [])
    return {**schema, "x-kubernetes-validations": [*old, *(rule.schema() for rule in rules)]} if rules else schema


class Group(BaseModel):
    """Fields of the resource: camelCase outside, snake_case inside; docstrings are the CRD's descriptions."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, use_attribute_docstrings=True)
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _present(cls, raw: Any) -> Any:
        """A null is a field that is not there, as it is for the API server."""
        return {key: value for key, value in raw.items() if value is not None} if isinstance(raw, Mapping) else raw

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        schema = handler.resolve_ref_schema(handler(core_schema))
        schema.update(with_rules(schema, *cls.rules))
        return schema
