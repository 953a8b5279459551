"""Turns config.json into the fields of it that sizing and fits read; both see the same before and after.

Pure. A test holds these names against those in sizing/reading.py, lengths.py and formats.py.
"""

from collections.abc import Iterable, Mapping
from typing import Any

FIELDS = (
    "architectures", "model_type", "dtype", "torch_dtype", "hidden_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim", "intermediate_size", "ffn_dim", "vocab_size", "tie_word_embeddings",
    "word_embed_proj_dim", "max_position_embeddings", "original_max_position_embeddings", "model_max_length",
    "attention_bias", "partial_rotary_factor", "sliding_window", "use_sliding_window", "sliding_window_pattern",
    "max_window_layers", "layer_types", "q_lora_rank", "kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim",
    "v_head_dim", "index_head_dim", "index_n_heads", "n_routed_experts", "num_experts", "num_local_experts",
    "num_experts_per_tok", "moe_intermediate_size", "n_shared_experts", "shared_expert_intermediate_size",
    "first_k_dense_replace", "moe_layer_freq", "decoder_sparse_step", "mlp_only_layers", "num_nextn_predict_layers",
)
TOWER = ("hidden_size", "intermediate_size", "num_hidden_layers", "patch_size", "image_size")
WHOLE = "full_attention"               # layers that look at all, where those with a window are scaled otherwise
SCALING = ("rope_type", "type", "factor", "original_max_position_embeddings")
QUANTIZATION = (
    "quant_method", "quant_algo", "format", "bits", "w_bit", "group_size", "q_group_size", "zero_point", "sym",
    "weight_block_size", "ignored_layers", "modules_to_not_convert", "ignore", "exclude_modules", "config_groups",
    "llm_int8_skip_modules", "load_in_4bit", "bnb_4bit_use_double_quant", "kv_cache_scheme", "kv_cache_quant_algo",
)
GENERATION = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_new_tokens")
_DESCRIBED = ("quantization_config", "compression_config")


def keep(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of config.json that is passed on."""
    kept = _model(config)
    if isinstance(text := config.get("text_config"), Mapping):
        kept["text_config"] = _model(text)
    if isinstance(tower := config.get("vision_config"), Mapping):
        kept["vision_config"] = _of(tower, TOWER)
    if "auto_map" in config:           # that there is code is all that matters
        kept["auto_map"] = True
    for name in _DESCRIBED:
        if described := config.get(name):
            kept[name] = _quantization(described) if isinstance(described, Mapping) else True
    return kept


def numbers(generation: Mapping[str, Any]) -> dict[str, float]:
    """What generation_config.json says of sampling."""
    return {name: value for name in GENERATION
            if isinstance(value := generation.get(name), int | float) and abs(value) < 1 << 40}


def _model(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = _of(config, FIELDS)
    for name in ("rope_scaling", "rope_parameters"):
        if isinstance(scaling := config.get(name), Mapping) and scaling:
            kept[name] = _scaling(scaling)
    return kept


def _scaling(said: Mapping[str, Any]) -> dict[str, Any]:
    """The first of both names that says something counts."""
    if isinstance(whole := said.get(WHOLE), Mapping):
        return {WHOLE: _of(whole, SCALING)}
    return _of(said, SCALING) or {"rope_type": "default"}


def _quantization(described: Mapping[str, Any]) -> dict[str, Any]:
    kept = _of(described, QUANTIZATION) or {"quant_method": None}
    if isinstance(groups := kept.get("config_groups"), Mapping):
        kept["config_groups"] = _groups(groups)
    return kept


def _groups(groups: Mapping[str, Any]) -> dict[str, Any]:
    """The formats of the weights, each once: which groups share them, and the activations, are not asked for."""
    formats: list[Any] = []
    for group in groups.values():
        if isinstance(group, Mapping) and (weights := group.get("weights")) not in formats:
            formats.append(weights)
    return {f"group_{index}": {"weights": weights} for index, weights in enumerate(formats)}


def _of(raw: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: raw[name] for name in names if raw.get(name) is not None}
