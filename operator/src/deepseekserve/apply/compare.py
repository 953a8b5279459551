"""Turns a rendered and a live object into the first place where they differ: a recursive subset test.

Pure; asked by apply before every write, because even an apply that changes nothing is a request. What the API server
adds, and what others add, is no difference; lists with a merge key are compared by it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deepseekserve.quantity import parse_quantity

_MERGE_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("containerPort", "port", "protocol"),
    "ownerReferences": ("uid",),
}
_DEFAULTS: Mapping[str, str] = {"protocol": "TCP"}     # what a part of a key is where it is not said
_QUANTITIES = frozenset({"limits", "requests", "overhead"})        # maps of quantities
_QUANTITY = frozenset({"sizeLimit", "divisor"})
# Maps that have one owner as a whole: a key that somebody adds to a selector is a difference.
_ATOMIC = frozenset({("selector",), ("nodeSelector",), ("labelSelector",)})
# Items of a list answer carry neither.
_OF_THE_TYPE = frozenset({"apiVersion", "kind"})


def drift(desired: Mapping[str, Any], live: Mapping[str, Any]) -> str | None:
    """Path of the first field of `desired` that `live` lacks or has otherwise; None when it has them all."""
    return _drift({k: v for k, v in desired.items() if k not in _OF_THE_TYPE}, live, ())


def _drift(desired: Any, live: Any, path: tuple[str, ...]) -> str | None:
    if isinstance(desired, Mapping) and isinstance(live, Mapping) and path[-1:] not in _ATOMIC:
        return _first(_drift(value, live.get(key), (*path, key)) for key, value in desired.items())
    if _is_list(desired) and _is_list(live):
        return _of_lists(desired, live, path)
    if desired == live or (not desired and live is None) or _is_same_quantity(desired, live, path):
        return None
    return ".".join(path)


def _of_lists(desired: Sequence[Any], live: Sequence[Any], path: tuple[str, ...]) -> str | None:
    identity = _identity(path[-1], desired, live)
    if identity:
        found = {identity(item): item for item in live}
        return _first(_drift(item, found.get(identity(item)), (*path, identity(item))) for item in desired)
    if len(desired) != len(live):
        return ".".join(path)
    return _first(
        _drift(one, other, (*path, str(i))) for i, (one, other) in enumerate(zip(desired, live, strict=True))
    )


def _identity(field: str, *lists: Sequence[Any]) -> Callable[[Any], str] | None:
    """How items of this list are told apart; None when their order is all there is."""
    keys = _MERGE_KEYS.get(field)
    if keys is None or not all(isinstance(item, Mapping) for items in lists for item in items):
        return None
    defaults = {key: _DEFAULTS[key] for key in keys if key in _DEFAULTS}
    return lambda item: "/".join(str(value) for key in keys if (value := {**defaults, **item}.get(key)) is not None)


def _is_same_quantity(desired: Any, live: Any, path: tuple[str, ...]) -> bool:
    if not (path[-1] in _QUANTITY or (len(path) > 1 and path[-2] in _QUANTITIES)):
        return False
    try:
        return parse_quantity(str(desired)) == parse_quantity(str(live))
    except ValueError:
        return False


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _first(found: Any) -> str | None:
    return next((path for path in found if path), None)
