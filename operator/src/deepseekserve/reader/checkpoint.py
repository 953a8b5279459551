"""Turns the files of a checkpoint into its Summary, wherever they are: a folder, or the hub.

The one order in which a model's files are read; a Place does the reading, and has bounds for it.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeGuard, cast

from deepseekserve.reader import fields
from deepseekserve.reader.summary import Outcome, Summary, Unreadable, Weights, printable, sentence

CONFIG, INDEX = "config.json", "model.safetensors.index.json"
GENERATION, TOKENIZER = "generation_config.json", "tokenizer_config.json"
TEMPLATES = ("chat_template.jinja", "chat_template.json")
PARAMS = "params.json"
# Where older checkpoints say how they are quantized, and by which method when the file does not say.
DESCRIPTIONS = {"quant_config.json": "awq", "quantize_config.json": "gptq", "hf_quant_config.json": "modelopt"}
CONFIG_BYTES = 4 << 20                 # a hundred times the largest that has been seen
OTHER_BYTES = 16 << 20                 # an index names each tensor: 9 MB for DeepSeek-R1
# Of several formats vLLM takes the first that is there (model_executor/model_loader/default_loader.py).
_FORMATS = ("safetensors", "bin", "pt", "gguf")
_NO_WEIGHTS = {"training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "scaler.pt"}
_AGAIN = "consolidated"                # Mistral's own copy of the same weights
_MOST_NAMES = 5


class Place(Protocol):
    """Where a checkpoint's files are; whatever cannot be read raises Unreadable."""

    key: str                           # changes when a file does
    sizes: Mapping[str, int]           # bytes of each file
    names: Collection[str]             # all that is there: folders, links to nowhere

    def read(self, name: str, most: int) -> bytes:
        """A file's content; TooLarge beyond `most` bytes."""

    def tensors(self, names: Collection[str]) -> Mapping[str, int]:
        """Bytes by number format of these safetensors files, from their headers; empty where they are too many."""

    def elsewhere(self) -> Collection[str]:
        """Folders below that have a config.json."""


def summarise(place: Place) -> Summary:
    """Read what sizing needs."""
    found = Summary(Outcome.READ, key=place.key, has_params=PARAMS in place.names)
    if CONFIG not in place.names:
        return replace(found, outcome=Outcome.NO_MODEL, message=_found_instead(place), weights=_other_weights(place))
    try:
        config = fields.keep(_config(place))
    except Unreadable as error:
        return replace(found, outcome=error.outcome, message=str(error))
    notes: list[str] = []
    found = replace(_with_manners(found, place, notes), config=config, notes=tuple(notes))
    weights, problem = _weights(place)
    found = replace(found, weights=weights)
    return replace(found, outcome=problem.outcome, message=str(problem)) if problem else found


def parse(name: str, data: bytes) -> object:
    """JSON of a file; raises Unreadable with the place of the damage, and quotes nothing of the file."""
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}: {error.msg}"
    except UnicodeDecodeError as error:
        where = f"byte {error.start} is no text"
    except RecursionError:
        where = "it is nested too deeply"
    except ValueError:
        where = "it has a number of thousands of digits"
    raise Unreadable(Outcome.DAMAGED, f"{name} is damaged: {where}")


def _map(place: Place, name: str, most: int = OTHER_BYTES) -> Mapping[str, Any]:
    found = parse(name, place.read(name, most))
    if isinstance(found, Mapping):
        return found
    raise Unreadable(Outcome.DAMAGED, f"{name} is damaged: it is no map of fields")


def _config(place: Place) -> Mapping[str, Any]:
    """config.json, with the description of its quantization where that is a file of its own."""
    config = _described(place, CONFIG)
    for name, method in DESCRIPTIONS.items():
        if "quantization_config" not in config and name in place.sizes:
            described = _described(place, name)
            inner = described.get("quantization")
            described = inner if isinstance(inner, Mapping) else described
            return {**config, "quantization_config": {"quant_method": method, **described}}
    return config


def _described(place: Place, name: str) -> Mapping[str, Any]:
    found = _map(place, name, CONFIG_BYTES)
    try:
        return cast(Mapping[str, Any], printable(found))
    except RecursionError as error:
        raise Unreadable(Outcome.DAMAGED, f"{name} is damaged: it is nested too deeply") from error


def _with_manners(found: Summary, place: Place, notes: list[str]) -> Summary:
    """What requests are answered with; damage here is a note."""
    told: dict[str, Mapping[str, Any]] = {GENERATION: {}, TOKENIZER: {}}
    for name in told:
        try:
            told[name] = _map(place, name) if name in place.names else {}
        except Unreadable as error:
            notes.append(str(error))
    return replace(
        found, generation=fields.numbers(told[GENERATION]),
        has_chat_template=bool(told[TOKENIZER].get("chat_template")) or any(name in place.sizes for name in TEMPLATES))


def _weights(place: Place) -> tuple[Weights | None, Unreadable | None]:
    try:
        if INDEX in place.names:
            return _indexed(place)
        named = _files(place, "safetensors")
        named = [name for name in named if not name.startswith(_AGAIN)] or named
        if not named:
            return _other_weights(place), None
        return _safetensors(place, named)
    except Unreadable as error:
        return None, error


def _indexed(place: Place) -> tuple[Weights | None, Unreadable | None]:
    """The files that the index names; where some are missing, the size that it says they have."""
    index = _map(place, INDEX)
    named, metadata = index.get("weight_map"), index.get("metadata")
    values = named.values() if isinstance(named, Mapping) else ()
    shards = sorted({name if isinstance(name, str) else "" for name in values})
    missing = [name for name in shards if name not in place.sizes]
    total = metadata.get("total_size") if isinstance(metadata, Mapping) else None
    size = int(total) if _is_size(total) else 0
    if shards and not missing:
        return _safetensors(place, shards, size)
    known = Weights("safetensors", len(shards), size) if size else None
    what = f"{len(missing)} of {len(shards)} files, such as {missing[0]}" if missing else "no files"
    return known, Unreadable(Outcome.MISSING_FILES, f"{INDEX} names {what}{', that are not there' if missing else ''}")


def _safetensors(place: Place, names: list[str], size: int = 0) -> tuple[Weights, Unreadable | None]:
    """Files with their sizes; a mirror of the hub may not say them, and `size` is what the index says."""
    weights = Weights("safetensors", len(names), sum(place.sizes[name] for name in names) or size)
    try:
        dtypes = place.tensors(names)
    except Unreadable as error:
        return weights, error
    return replace(weights, dtypes=dtypes, bytes=weights.bytes or sum(dtypes.values())), None


def _other_weights(place: Place) -> Weights | None:
    for form in _FORMATS:
        if names := _files(place, form):
            return Weights(form, len(names), sum(place.sizes[name] for name in names))
    return None


def _files(place: Place, form: str) -> list[str]:
    return sorted(name for name in place.sizes
                  if name.endswith(f".{form}") and name not in _NO_WEIGHTS and "/" not in name)


def _is_size(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and 0 < value < 1 << 50


def _found_instead(place: Place) -> str:
    if not place.names:
        return "there are no files"
    if below := sorted(place.elsewhere()):
        return f"no config.json, but one in {_some(below)}"
    return f"no config.json, but {_some(sorted(place.names))}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return sentence(", ".join(names[:_MOST_NAMES])[:200]) + more
