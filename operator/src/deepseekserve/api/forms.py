"""Turns one description of a value (a text's form, a number's bounds) into its Python check and its CRD schema.

Pure; used as `Annotated[...]` by the fields. Both sides come from the same object, so they cannot differ.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from deepseekserve.api.group import Rule, Schema, with_rules
from deepseekserve.quantity import parse_quantity

AUTO: Final = "Auto"
AMOUNT_CHARACTERS = 32


@dataclass(frozen=True)
class Text:
    """A text of at most `most` characters, of which the whole is of the form `pattern` (RE2, no single quotes)."""

    pattern: str
    most: int
    advice: str

    def check(self, value: str) -> str:
        """Return the text; raises ValueError with the advice."""
        if len(value) > self.most or not re.fullmatch(self.pattern, value):
            raise ValueError(self.advice)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            self.check, core_schema.str_schema(strict=True, max_length=self.most))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return with_rules(handler(core), Rule(f"self.matches(r'^(?:{self.pattern})$')", self.advice))


@dataclass(frozen=True)
class Whole:
    """A whole number from `least` to `most`."""

    least: int
    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        number = core_schema.int_schema(strict=True, ge=self.least, le=self.most)
        return core_schema.no_info_before_validator_function(_whole, number)


class Flag:
    """True or false, and nothing that is taken for it."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.bool_schema(strict=True)


class Moment:
    """A time as RFC 3339 writes it; the API server judges its form."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.str_schema(strict=True, max_length=64)

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return {**handler(core), "format": "date-time"}


@dataclass(frozen=True)
class AutoOr:
    """`Auto`, or a whole number from 1 to `most`."""

    most: int
    advice: str

    def check(self, value: Any) -> int | str:
        """Return Auto or the number; raises ValueError with the advice."""
        number = _whole(value)
        if value == AUTO or (type(number) is int and 1 <= number <= self.most):
            return cast("int | str", number)
        raise ValueError(self.advice)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        rule = f"type(self) == int ? (self >= 1 && self <= {self.most}) : self == '{AUTO}'"
        return with_rules({"x-kubernetes-int-or-string": True, "maxLength": 32}, Rule(rule, self.advice))


@dataclass(frozen=True)
class Amount:
    """A Kubernetes quantity from `least` to `most`, kept as text."""

    least: str
    most: str
    advice: str

    def check(self, value: Any) -> str:
        """Return the quantity as text; raises ValueError with the advice."""
        whole = _whole(value)
        text = str(whole) if type(whole) is int and abs(whole) < 2**63 else value
        if not isinstance(text, str) or len(text) > AMOUNT_CHARACTERS or not self._holds(text):
            raise ValueError(self.advice)
        return text

    def _holds(self, text: str) -> bool:
        try:
            return parse_quantity(self.least) <= parse_quantity(text) <= parse_quantity(self.most)
        except ValueError:
            return False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        bounds = "quantity({0}).compareTo(quantity('%s')) >= 0 && quantity({0}).compareTo(quantity('%s')) <= 0"
        inside = (bounds % (self.least, self.most)).format("string(self)")
        rule = Rule(f"isQuantity(string(self)) && {inside}", self.advice)
        return with_rules({"x-kubernetes-int-or-string": True, "maxLength": AMOUNT_CHARACTERS}, rule)


@dataclass(frozen=True)
class Items:
    """A list of at most `most` items, in an order that counts."""

    most: int
    unique: str = ""               # the advice when an item stands there twice; empty: it may

    def check(self, items: list[Any]) -> list[Any]:
        """Return the list; raises ValueError when an item stands there twice and may not."""
        if self.unique and len(set(items)) < len(items):
            raise ValueError(self.unique)
        return items

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        bounded: Any = {**handler(source), "max_length": self.most}
        return core_schema.no_info_after_validator_function(self.check, bounded)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        rules = [Rule("self.all(x, self.exists_one(y, y == x))", self.unique)] if self.unique else []
        return with_rules({**handler(core), "x-kubernetes-list-type": "atomic"}, *rules)


@dataclass(frozen=True)
class Keys:
    """A map of at most `most` entries, whose keys are of the form `text`."""

    most: int
    text: Text

    def check(self, entries: dict[str, Any]) -> dict[str, Any]:
        """Return the map; raises ValueError with the advice for the keys."""
        for key in entries:
            self.text.check(key)
        return entries

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        bounded: Any = {**handler(source), "max_length": self.most}
        return core_schema.no_info_after_validator_function(self.check, bounded)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        form = f"size(key) <= {self.text.most} && key.matches(r'^(?:{self.text.pattern})$')"
        return with_rules(handler(core), Rule(f"self.all(key, {form})", self.text.advice))


@dataclass(frozen=True)
class Core:
    """An object, or with `most` a list of objects, of core/v1, whose schema is the API server's own."""

    definition: str
    most: int = 0
    key: str = ""                  # the merge key of the list
    rules: tuple[Rule, ...] = ()   # on each object

    def check(self, value: Any) -> Any:
        """Return the value; raises ValueError when it is not of the shape on which the operator itself relies."""
        objects = value if self.most else [value]
        if not isinstance(objects, list) or not all(isinstance(item, dict) for item in objects):
            raise ValueError(f"set {'a list of objects' if self.most else 'an object'} as core/v1's {self.definition}")
        names = [item.get(self.key) for item in objects] if self.key else []
        if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
            raise ValueError(f"give every item a {self.key} of its own")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        one = with_rules({CORE: self.definition}, *self.rules)
        if not self.most:
            return one
        merge = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.key]} if self.key else {
            "x-kubernetes-list-type": "atomic"}
        return {"type": "array", "items": one, "maxItems": self.most, **merge}


CORE = "x-core"                    # replaced by the definition when the CRD is made


def _whole(value: Any) -> Any:
    """JSON does not tell 1.0 from 1, and the API server takes both for a whole number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
