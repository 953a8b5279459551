"""Turns the reader's termination message into the Summary that it was made from.

Pure; one of the parsers of facts. The message is text from outside: a pod beside a stranger's files has written it.
"""

import json
from collections.abc import Mapping
from typing import Any

from deepseekserve.reader.summary import SCHEMA, Outcome, Summary, Weights, printable, sentence, unpack

_MOST = 1 << 50
_MOST_FORMATS = 16


class DamagedSummary(Exception):
    """The reader's pod has left something else than a summary; the text says what."""


def parse_summary(text: str) -> Summary:
    """Read a message; raises DamagedSummary. What a newer reader adds is left out."""
    raw = _json(text)
    if not isinstance(raw, Mapping) or raw.get("schema") != SCHEMA:
        raise DamagedSummary("the reader's message is none of this release")
    outcome = next((member for member in Outcome if member.value == raw.get("outcome")), None)
    if outcome is None:
        raise DamagedSummary("the reader's message has no outcome")
    config = _config(raw)
    if outcome is Outcome.READ and config is None:
        raise DamagedSummary("the reader has read a model, and its message has no config")
    return Summary(
        outcome, message=_sentence(raw.get("message")), key=_sentence(raw.get("key")), config=config,
        generation={str(name): value for name, value in _items(raw.get("generation")) if _is_number(value)},
        has_chat_template=raw.get("chatTemplate") is True,
        has_params=raw.get("params") is True, weights=_weights(raw.get("weights")),
        notes=tuple(_sentence(note) for note in _list(raw.get("notes"))))


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (RecursionError, ValueError) as error:
        raise DamagedSummary("the reader's message is no JSON") from error


def _config(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    config, packed = raw.get("config"), raw.get("packed")
    try:
        found = printable(unpack(packed) if isinstance(packed, str) else config)
    except (RecursionError, ValueError) as error:
        raise DamagedSummary("the reader's message has a config that cannot be unpacked") from error
    return found if isinstance(found, Mapping) else None


def _weights(raw: object) -> Weights | None:
    if not isinstance(raw, Mapping) or not (_is_size(raw.get("files"), least=0) and _is_size(raw.get("bytes"))):
        return None
    dtypes = {_sentence(name): size for name, size in _items(raw.get("dtypes"))[:_MOST_FORMATS] if _is_size(size)}
    return Weights(_sentence(raw.get("format")), raw["files"], raw["bytes"], dtypes)


def _items(raw: object) -> list[tuple[str, Any]]:
    return list(raw.items()) if isinstance(raw, Mapping) else []


def _list(raw: object) -> list[object]:
    return raw if isinstance(raw, list) else []


def _sentence(raw: object) -> str:
    return sentence(raw) if isinstance(raw, str) else ""


def _is_size(raw: object, *, least: int = 1) -> bool:
    return type(raw) is int and least <= raw < _MOST


def _is_number(raw: object) -> bool:
    return isinstance(raw, int | float) and abs(raw) < _MOST
