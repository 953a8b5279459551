"""Turns watch events and lists into the objects as last seen, by kind and by the resource that they belong to.

Filled by handlers and resync, and by the answers to our own writes, so that a reconcile sees what the last one did.
A body that is older than what is known never replaces it. Bodies are kept as JSON: as dicts they take six times the
memory, and Python's garbage collector walks through all of it again and again.
"""

import json
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

from deepseekserve import names
from deepseekserve.kube import Key, Kind, Object, key_of
from deepseekserve.kube.kinds import SERVES, version_number


class Entry(NamedTuple):
    """One object, and what is asked of it without reading it."""

    uid: str
    version: int
    generation: int               # of the spec
    phase: str | None             # that a status shows
    behind: bool                  # the status does not speak of the spec as it stands
    body: str                     # JSON

    def read(self) -> Object:
        """The object; a copy of the reader's own."""
        found: Object = json.loads(self.body)
        return found


class Cache:
    """Objects by kind, then by the key of their DeepSeekServe, then by their own name."""

    def __init__(self) -> None:
        self._objects: dict[Kind, dict[Key, dict[str, Entry]]] = {}
        self._owners: dict[Kind, dict[Key, Key]] = {}           # own key -> key of the DeepSeekServe
        self._graves: dict[Kind, dict[str, int]] = {}           # uid -> version at its deletion, since the last list

    def serve(self, key: Key) -> Object | None:
        """The DeepSeekServe itself."""
        return self.child(SERVES, key, key.name)

    def generation(self, key: Key) -> int | None:
        """Of the DeepSeekServe's spec as last seen; None when it is gone."""
        found = self._entry(SERVES, key, key.name)
        return found.generation if found else None

    def serves(self) -> Iterator[Key]:
        """Keys of all DeepSeekServes: first those that were made or edited since the last look at them."""
        owned = self._objects.get(SERVES, {})
        yield from sorted(owned, key=lambda key: not any(entry.behind for entry in owned[key].values()))

    def child(self, kind: Kind, owner: Key, name: str) -> Object | None:
        """One object that belongs to a DeepSeekServe."""
        found = self._entry(kind, owner, name)
        return found.read() if found else None

    def children(self, kind: Kind, owner: Key) -> tuple[Object, ...]:
        """All objects of a kind that belong to a DeepSeekServe, by name."""
        found = self._objects.get(kind, {}).get(owner, {})
        return tuple(found[name].read() for name in sorted(found))

    def put(self, kind: Kind, obj: Object) -> Key | None:
        """Remember an object; the key of its DeepSeekServe, or None when there is nothing to look at."""
        own, owner = key_of(obj), _owner_of(kind, obj)
        before = self._owners.get(kind, {}).get(own)
        known = self._entry(kind, before, own.name) if before else None
        if (known and _version(obj) <= known.version) or self._is_buried(kind, obj):
            return None
        if before and before != owner:
            self._forget(kind, own)
        if owner:
            self._objects.setdefault(kind, {}).setdefault(owner, {})[own.name] = _entry_of(obj)
            self._owners.setdefault(kind, {})[own] = owner
        return owner or before

    def drop(self, kind: Kind, obj: Object) -> Key | None:
        """Forget an object that was deleted, unless another one took its name; the key of its DeepSeekServe."""
        own = key_of(obj)
        owner = self._owners.get(kind, {}).get(own)
        known = self._entry(kind, owner, own.name) if owner else None
        uid = obj["metadata"]["uid"]
        self._graves.setdefault(kind, {})[uid] = _version(obj)
        if known and known.uid == uid:
            self._forget(kind, own)
        return owner

    def sweep(self, kind: Kind, listed: Container[Key], as_of: int) -> None:
        """After a list of everything has been put, forget what it lacks and is not younger than the list.

        Deletions before that version are forgotten too: no list from now on shows their objects.
        """
        graves = self._graves.pop(kind, {})
        self._graves[kind] = {uid: version for uid, version in graves.items() if version > as_of}
        for own in [own for own in self._owners.get(kind, {}) if own not in listed]:
            known = self._entry(kind, self._owners[kind][own], own.name)
            if known and known.version <= as_of:
                self._forget(kind, own)

    def phases(self) -> Mapping[str, int]:
        """How many DeepSeekServes are in each phase."""
        entries = (entry for owned in self._objects.get(SERVES, {}).values() for entry in owned.values())
        return Counter(entry.phase or "Unknown" for entry in entries)

    def _entry(self, kind: Kind, owner: Key, name: str) -> Entry | None:
        return self._objects.get(kind, {}).get(owner, {}).get(name)

    def _is_buried(self, kind: Kind, obj: Object) -> bool:
        """The answer to a write may come after the news that its object is gone."""
        return _version(obj) <= self._graves.get(kind, {}).get(obj["metadata"]["uid"], -1)

    def _forget(self, kind: Kind, own: Key) -> None:
        owner = self._owners[kind].pop(own)
        siblings = self._objects[kind][owner]
        siblings.pop(own.name, None)
        if not siblings:
            del self._objects[kind][owner]


def _owner_of(kind: Kind, obj: Object) -> Key | None:
    metadata = obj["metadata"]
    name = metadata["name"] if kind is SERVES else (metadata.get("labels") or {}).get(names.LABEL_NAME)
    return Key(metadata["namespace"], name) if name else None


def _entry_of(obj: Object) -> Entry:
    """Without managedFields: half of the object's size, read by nobody here."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    status = obj.get("status") or {}
    behind = status.get("observedGeneration") != metadata.get("generation")
    body = json.dumps({**obj, "metadata": metadata}, separators=(",", ":"))
    return Entry(metadata["uid"], _version(obj), metadata.get("generation", 0), status.get("phase"), behind, body)


def _version(obj: Object) -> int:
    return version_number(obj["metadata"]["resourceVersion"])
