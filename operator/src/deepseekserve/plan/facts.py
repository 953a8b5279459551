"""Turns a resource and the options into what is known of its model and GPU, and says where that comes from.

A folder that is named goes before the catalogue; a GPU that is named before the one that the resource asks for.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deepseekserve import catalog, fits
from deepseekserve.api import DeepSeekServe
from deepseekserve.fits import Known
from deepseekserve.plan.options import MOST_BYTES, Options
from deepseekserve.quantity import parse_quantity

LEAST_GPU_BYTES = 1 << 30            # a smaller number is a product's (4090)
INDEX = "model.safetensors.index.json"
# Where older checkpoints say how they are quantized, and by which method when the file does not say.
_DESCRIPTIONS = {"quant_config.json": "awq", "quantize_config.json": "gptq", "hf_quant_config.json": "modelopt"}


class BadInputError(Exception):
    """An option names something that cannot be read; the text says what."""


def known(serve: DeepSeekServe, options: Options) -> Known:
    """What is known; raises BadInputError."""
    name = options.gpu or fits.product(serve) or ""
    return replace(_model(serve.spec.model.source, options), gpu=_gpu(name), gpu_name=name)


def _model(source: str, options: Options) -> Known:
    size = options.weights_bytes
    if options.model_config:
        folder = Path(options.model_config)
        return Known(_config(folder), options.model_config, size or _weights(folder))
    if model := catalog.find_model(source):
        origin = f"the catalogue: {model.id}, {model.confidence}"
        return Known(model.config, origin, size or model.weights_bytes)
    return Known(weights_bytes=size)


def _gpu(name: str) -> catalog.Gpu | None:
    """By its name, else by its memory."""
    if found := catalog.find_gpu(name):
        return found
    try:
        memory = int(parse_quantity(name))
    except ValueError:
        return None
    return catalog.Gpu(name, memory) if LEAST_GPU_BYTES <= memory <= MOST_BYTES else None


def _config(folder: Path) -> Mapping[str, Any]:
    config = _read(folder / "config.json")
    for name, method in _DESCRIPTIONS.items():
        if "quantization_config" not in config and (folder / name).is_file():
            described = _read(folder / name)
            inner = described.get("quantization")
            described = inner if isinstance(inner, Mapping) else described
            return {**config, "quantization_config": {"quant_method": method, **described}}
    return config


def _weights(folder: Path) -> int | None:
    """The index's own sum, else that of the files that are there."""
    if (folder / INDEX).is_file():
        metadata = _read(folder / INDEX).get("metadata")
        total = metadata.get("total_size") if isinstance(metadata, Mapping) else None
        return total if isinstance(total, int) else None
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) or None


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = _printable(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path}: {error}") from error
    if not isinstance(found, Mapping):
        raise BadInputError(f"{path}: no map of fields")
    return found


def _printable(value: Any) -> Any:
    """A model's author must not write lines of our pages and manifests: blanks for what cannot be printed."""
    if isinstance(value, str):
        return "".join(character if character.isprintable() else " " for character in value)
    if isinstance(value, Mapping):
        return {_printable(key): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value
