"""Turns the fields of a model into a table of what an edit of each does to the pods.

Pure; every field of the spec carries one marking, and `effects` raises for one without, so that none is forgotten.
"""

import enum
from collections.abc import Iterator, Mapping
from typing import Annotated, TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo

T = TypeVar("T")


class Effect(enum.Enum):
    """What an edit of a field does to the running pods."""

    ROLLS = "new pods replace the old ones"
    KEEPS = "the pods that run stay as they are"


Rolling = Annotated[T, Effect.ROLLS]          # the field stands in the pod template
Live = Annotated[T, Effect.KEEPS]             # the field does not


def effects(model: type[BaseModel]) -> dict[str, Effect]:
    """Map each marked field, by its dotted path below `model`, to what an edit of it does."""
    return dict(_effects(model, ""))


def marked(model: type[BaseModel], effect: Effect) -> Mapping[str, object]:
    """The marked fields of `model` as pydantic's `include` takes them, by attribute: nested maps that end in True."""
    found: dict[str, object] = {}
    for name, field in model.model_fields.items():
        own = _own(field)
        below = marked(_group(model, name, field), effect) if own is None else own is effect
        if below:
            found[name] = below
    return found


def _effects(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Effect]]:
    for name, field in model.model_fields.items():
        path, own = prefix + (field.alias or name), _own(field)
        if own is None:
            yield from _effects(_group(model, name, field), f"{path}.")
        else:
            yield path, own


def _own(field: FieldInfo) -> Effect | None:
    return next((mark for mark in field.metadata if isinstance(mark, Effect)), None)


def _group(model: type[BaseModel], name: str, field: FieldInfo) -> type[BaseModel]:
    kind = field.annotation
    if not isinstance(kind, type) or not issubclass(kind, BaseModel):
        raise TypeError(f"{model.__name__}.{name} does not say whether an edit rolls the pods: write Rolling or Live")
    return kind
