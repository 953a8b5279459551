"""Turns the positions of a config.json into the contexts that an engine derives from them.

Pure; after vllm/config/model.py, _get_and_verify_max_len. Used by `reading`.
"""

from collections.abc import Mapping
from typing import Any

from deepseekserve.sizing.fields import MOST, Fields

# Position scalings that leave max_position_embeddings as it is (vllm/config/model.py, _get_and_verify_max_len).
_NOT_SCALED = {"su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling", "default", "mrope"}


def usual(fields: Fields, positions: int) -> int:
    """Longrope slows short requests down, so the engine leaves it out unless a longer context is asked for."""
    kind, _ = _scaling(fields)
    return (kind == "longrope" and fields.optional("original_max_position_embeddings")) or derived(fields, positions)


def _scaling(fields: Fields) -> tuple[str, object]:
    scaling = _part(fields)
    return str(scaling.get("rope_type", scaling.get("type", "default"))), scaling.get("factor")


def _part(fields: Fields) -> Mapping[str, Any]:
    """For models with windows transformers 5 has two: that of the layers which look at all is scaled."""
    said = fields.part("rope_scaling") or fields.part("rope_parameters")
    whole = said.get("full_attention")
    return whole if isinstance(whole, Mapping) else said


def older(fields: Fields) -> int:
    """Older engines multiply YaRN's own original_max_position_embeddings, whatever max_position_embeddings says."""
    kind, factor = _scaling(fields)
    start = _part(fields).get("original_max_position_embeddings")
    return int(start * fields.factor(factor)) if kind == "yarn" and isinstance(start, int) and 0 < start < MOST else 0


def derived(fields: Fields, positions: int) -> int:
    """As _get_and_verify_max_len derives it; what tokenizer_config.json allows counts for pooling models alone."""
    is_stretched = "gemma3" in str(fields.raw.get("model_type"))       # in its max_position_embeddings already
    return positions if is_stretched else stretched(fields, positions)


def stretched(fields: Fields, positions: int) -> int:
    """Times the factor, for the scalings that have not been counted already."""
    kind, factor = _scaling(fields)
    return positions if kind in _NOT_SCALED else int(positions * fields.factor(factor))
