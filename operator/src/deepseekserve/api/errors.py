"""Turns what pydantic complains about into InvalidSpec: the field as kubectl writes it, what is wrong, the next step.

Pure; used wherever a raw object becomes a typed value.
"""

from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

SHOWN_CHARACTERS = 60

# pydantic's kind of error -> what to do, filled with the bounds that it names.
_ADVICE = {
    "missing": "is missing: set it",
    "literal_error": "set one of {expected}",
    "greater_than_equal": "set {ge} or more",
    "less_than_equal": "set {le} or less",
    "int_type": "set a whole number",
    "bool_type": "set true or false",
    "string_type": "set a text, in quotes",
    "list_type": "set a list",
    "dict_type": "set a map of keys to values",
    "model_type": "set a map of fields to values",
    "too_long": "set at most {max_length} items",
    "string_too_long": "set at most {max_length} characters",
}


class InvalidSpec(ValueError):
    """The resource cannot be acted upon until its owner edits it; the text names the field and what to set."""


def invalid(error: ValidationError, root: str) -> InvalidSpec:
    """Say what the first of pydantic's complaints about the part called `root` means for its author."""
    first = error.errors(include_url=False)[0]
    return InvalidSpec(f"{_path(root, first['loc'])}{_shown(first)}{_advice(first)}")


def _path(root: str, location: Sequence[int | str]) -> str:
    return root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _shown(error: ErrorDetails) -> str:
    """The refused value, when it is short and plain; never a part of env, which may hold a secret."""
    value = error["input"]
    if error["type"] == "missing":
        return " "
    if "env" in error["loc"] or not isinstance(value, str | int | float):
        return ": "
    try:
        text = repr(value)
    except ValueError:                  # a whole number of more than 4300 digits
        return ": "
    return f" {text}: " if len(text) <= SHOWN_CHARACTERS else f" {text[:SHOWN_CHARACTERS]}...: "


def _advice(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    return _ADVICE.get(error["type"], error["msg"]).format_map(context)
