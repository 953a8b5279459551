"""Turns the operator's pod template and `spec.podTemplate` into one: maps merge, lists too by name, all else replaces.

Pure; the last step of render.pod. What may not stand in the overlay was refused before (render.refusals).
"""

from collections.abc import Mapping, Sequence
from typing import Any

# Lists whose items are told apart otherwise than by name, and what is meant when an item does not say it.
KEYS: Mapping[str, Mapping[str, Any]] = {
    "volumeMounts": {"mountPath": None},
    "volumeDevices": {"devicePath": None},
    "ports": {"containerPort": None, "protocol": "TCP"},
}
BY_NAME: Mapping[str, Any] = {"name": None}


def overlaid(template: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `overlay` over `template`; neither is changed."""
    merged: dict[str, Any] = _merged(template, overlay, "")
    return merged


def identities(field: str, items: Sequence[Any]) -> list[tuple[Any, ...]] | None:
    """What tells the items of the list `field` apart, in order; None for a list without such a key."""
    keys = KEYS.get(field, BY_NAME)
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    found = [tuple(item.get(key, default) for key, default in keys.items()) for item in items]
    return None if any(None in identity for identity in found) else found


def _merged(ours: Any, over: Any, field: str) -> Any:
    if isinstance(ours, Mapping) and isinstance(over, Mapping):
        return {**ours, **{key: _merged(ours.get(key), value, key) for key, value in over.items()}}
    if isinstance(ours, list) and isinstance(over, list):
        return _of_lists(ours, over, field)
    return over


def _of_lists(ours: list[Any], over: list[Any], field: str) -> list[Any]:
    """Ours first and in our order, then what is new; `over` alone where the items have no name."""
    old, new = identities(field, ours), identities(field, over) if over else []
    if old is None or new is None:
        return over
    changes = dict(zip(new, over, strict=True))
    kept = [
        _item(item, changes.pop(identity), field) if identity in changes else item
        for identity, item in zip(old, ours, strict=True)
    ]
    return [*kept, *changes.values()]


def _item(ours: Mapping[str, Any], over: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """A volume has one source: another one replaces it. A variable has one as well, a value or where it comes from."""
    merged: Mapping[str, Any] = _merged(ours, over, field)
    if field in ("volumes", "env") and set(over) - {"name"}:
        return {key: value for key, value in merged.items() if key in over}
    return merged
