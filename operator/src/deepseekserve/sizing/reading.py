"""Turns config.json into a Shape; NotSizedError for an architecture that is not in `families`.

Pure. Names of fields are those of the transformers library; the matrices are those of vLLM's model of the same name.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from deepseekserve.sizing import lengths
from deepseekserve.sizing.families import FAMILIES, Family
from deepseekserve.sizing.fields import Fields
from deepseekserve.sizing.shape import Cached, DamagedConfigError, Layer, Matrix, NotSizedError, Shape, Split

MOST_LAYERS = 1024
_INDEXER_BLOCK = 128                   # elements for each of which the indexer's 8-bit keys have a scale of 4 bytes
_DTYPES = {"float16", "bfloat16", "float32"}


def read_shape(raw: object) -> Shape:
    """Read a model's config.json; raises NotSizedError or DamagedConfigError, whose text says what is wrong."""
    if not isinstance(raw, Mapping):
        raise DamagedConfigError("config.json is no map of fields")
    outer = Fields(raw)
    named = outer.items("architectures")
    if len(named) != 1 or str(named[0]) not in FAMILIES:
        name = " and ".join(str(item)[:80] for item in named) or "none"
        raise NotSizedError(f"no formula for this architecture: {name}")
    family = FAMILIES[str(named[0])]
    fields = Fields({**family.defaults, **(outer.part("text_config") if family.text_config else raw)})
    if fields.number("word_embed_proj_dim", default=fields.number("hidden_size")) != fields.number("hidden_size"):
        raise NotSizedError("no formula for embeddings of another size than the model's")
    return _shape(fields, outer, family)


def _shape(fields: Fields, outer: Fields, family: Family) -> Shape:
    hidden, count = fields.number("hidden_size"), fields.number("num_hidden_layers")
    if count > MOST_LAYERS:
        raise DamagedConfigError(f"config.json has num_hidden_layers: {count}, more than any model")
    heads = fields.number("num_attention_heads")
    mixed = [_is_mixed(fields, index) for index in range(count)]
    positions = fields.number("max_position_embeddings")
    return Shape(
        architecture=str(outer.items("architectures")[0]), model_type=str(outer.raw.get("model_type")),
        dtype=_dtype(fields, outer),
        layers=tuple(_layers(fields, family, mixed)),
        hidden=hidden, vocabulary=fields.number("vocab_size"), heads=heads, kv_heads=_kv_heads(fields, family),
        context=lengths.derived(fields, positions), usual=lengths.usual(fields, positions), older=lengths.older(fields),
        permitted=fields.limit("model_max_length"),
        tied=outer.flag("tie_word_embeddings", default=family.tied),
        head_bias=family.head_bias,
        positions=0 if family.extra_positions is None else positions + family.extra_positions,
        final=hidden * (2 if family.norm_bias else 1),
        rope_elements=_rotations(fields, family, positions),
        widest=0 if all(mixed) else _inner(fields),
        expert=_expert(fields) if any(mixed) else 0,
        visits=fields.number("num_experts_per_tok", default=1) if any(mixed) else 0,
        draft=_draft(fields, family, count),
        tower=tuple(_tower(Fields(outer.part("vision_config")), hidden)) if family.text_config else (),
    )


def _layers(fields: Fields, family: Family, mixed: list[bool]) -> Iterator[Layer]:
    """One value for all layers that are alike: there are two kinds at most, and up to a hundred layers."""
    kinds: dict[tuple[bool, int | None], Layer] = {}
    for index, is_mixed in enumerate(mixed):
        kind = (is_mixed, _window(fields, family, index))
        if kind not in kinds:
            kinds[kind] = _layer(fields, family, index)
        yield kinds[kind]


def _layer(fields: Fields, family: Family, index: int) -> Layer:
    hidden = fields.number("hidden_size")
    attention = tuple(_latent(fields)) if family.latent else tuple(_attention(fields, family))
    inner = _experts(fields) if _is_mixed(fields, index) else _mlp("mlp", hidden, _inner(fields), family)
    norms = family.norms * hidden * (2 if family.norm_bias else 1)
    inside = 2 * _head(fields) if family.head_norms else 0
    if family.latent:
        inside = (fields.optional("q_lora_rank") or 0) + fields.number("kv_lora_rank")
    return Layer((*attention, *inner), norms + inside, _cached(fields, family, index))


def _attention(fields: Fields, family: Family) -> Iterator[Matrix]:
    hidden, heads, kv_heads, head = (
        fields.number("hidden_size"), fields.number("num_attention_heads"), _kv_heads(fields, family), _head(fields))
    bias = fields.flag("attention_bias", default=family.qkv_bias) or family.qkv_bias
    out_bias = fields.flag("attention_bias", default=family.output_bias) or family.output_bias
    yield Matrix("self_attn.q_proj", heads * head, hidden, Split.HEADS, heads=heads, bias=bias)
    yield Matrix("self_attn.k_proj", kv_heads * head, hidden, Split.HEADS, heads=kv_heads, bias=bias)
    yield Matrix("self_attn.v_proj", kv_heads * head, hidden, Split.HEADS, heads=kv_heads, bias=bias)
    yield Matrix("self_attn.o_proj", hidden, heads * head, Split.INPUTS, bias=out_bias)


def _latent(fields: Fields) -> Iterator[Matrix]:
    """Multi-head latent attention (vllm/model_executor/models/deepseek_v2.py), with V3.2's indexer where it is."""
    hidden, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    latent, rope = fields.number("kv_lora_rank"), fields.number("qk_rope_head_dim")
    plain, value = fields.number("qk_nope_head_dim"), fields.number("v_head_dim")
    queries = fields.optional("q_lora_rank")
    if queries:
        yield Matrix("self_attn.q_a_proj", queries, hidden, Split.NONE)
        yield Matrix("self_attn.q_b_proj", heads * (plain + rope), queries)
    else:
        yield Matrix("self_attn.q_proj", heads * (plain + rope), hidden)
    yield Matrix("self_attn.kv_a_proj_with_mqa", latent + rope, hidden, Split.NONE)
    yield Matrix("self_attn.kv_b_proj", heads * (plain + value), latent)
    yield Matrix("self_attn.o_proj", hidden, heads * value, Split.INPUTS)
    if index := fields.optional("index_head_dim"):
        count = fields.number("index_n_heads")
        yield Matrix("self_attn.indexer.wq_b", count * index, queries or hidden, Split.NONE)
        yield Matrix("self_attn.indexer.wk", index, hidden, Split.NONE)
        yield Matrix("self_attn.indexer.weights_proj", count, hidden, Split.NONE, plain=True)


def _mlp(name: str, hidden: int, inner: int, family: Family) -> tuple[Matrix, ...]:
    up = Matrix(f"{name}.up_proj", inner, hidden, bias=family.mlp_bias)
    down = Matrix(f"{name}.down_proj", hidden, inner, Split.INPUTS, bias=family.mlp_bias)
    return (Matrix(f"{name}.gate_proj", inner, hidden), up, down) if family.gated else (up, down)


def _experts(fields: Fields) -> tuple[Matrix, ...]:
    hidden, inner, count = fields.number("hidden_size"), _expert(fields), _expert_count(fields)
    shared = fields.number("shared_expert_intermediate_size", default=0) or (
        fields.number("n_shared_experts", default=0) * inner)
    alike = _mlp("mlp.shared_experts", hidden, shared, Family()) if shared else ()
    gate = (Matrix("mlp.shared_expert_gate", 1, hidden, Split.NONE, plain=True),)
    return (
        Matrix("mlp.gate", count, hidden, Split.NONE, plain=True),
        Matrix("mlp.experts.gate_proj", inner, hidden, count=count),
        Matrix("mlp.experts.up_proj", inner, hidden, count=count),
        Matrix("mlp.experts.down_proj", hidden, inner, Split.INPUTS, count=count),
        *alike,
        *(gate if "shared_expert_intermediate_size" in fields.raw else ()),
    )


def _draft(fields: Fields, family: Family, count: int) -> Layer | None:
    """The layer that predicts a second token: one more block, and what joins its two inputs."""
    if not fields.optional("num_nextn_predict_layers"):
        return None
    block, hidden = _layer(fields, family, count), fields.number("hidden_size")
    return Layer((*block.matrices, Matrix("eh_proj", hidden, 2 * hidden, Split.NONE, plain=True)),
                 block.vectors + 3 * hidden, block.cached)


def _tower(fields: Fields, hidden: int) -> Iterator[Matrix]:
    """SigLIP, as in vllm/model_executor/models/siglip.py, and the projector behind it; never quantized here."""
    width, inner = fields.number("hidden_size"), fields.number("intermediate_size")
    layers, patch = fields.number("num_hidden_layers"), fields.number("patch_size")
    patches = (fields.number("image_size") // patch) ** 2
    yield Matrix("attention", 4 * width, width, count=layers, bias=True, plain=True)
    yield Matrix("fc1", inner, width, count=layers, bias=True, plain=True)
    yield Matrix("fc2", width, inner, Split.INPUTS, count=layers, bias=True, plain=True)
    yield Matrix("embeddings", width, 3 * patch**2 + patches, Split.NONE, bias=True, plain=True)
    yield Matrix("mm_input_projection", hidden, width, Split.NONE, plain=True)


def _cached(fields: Fields, family: Family, index: int) -> Cached:
    if not family.latent:
        return Cached(_kv_heads(fields, family), 2 * _head(fields), _window(fields, family, index))
    indexed = fields.optional("index_head_dim") or 0
    return Cached(1, fields.number("kv_lora_rank") + fields.number("qk_rope_head_dim"),
                  extra=indexed + indexed // _INDEXER_BLOCK * 4, shared=True)


def _window(fields: Fields, family: Family, index: int) -> int | None:
    window, types = fields.optional("sliding_window"), fields.items("layer_types")
    if not window or not fields.flag("use_sliding_window", default=not family.whole_layers):
        return None
    if types:
        return window if types[index % len(types)] == "sliding_attention" else None
    if index < fields.number("max_window_layers", default=family.whole_layers, least=0):
        return None
    pattern = fields.number("sliding_window_pattern", default=family.pattern or 1)
    return window if pattern == 1 or (index + 1) % pattern else None


def _is_mixed(fields: Fields, index: int) -> bool:
    """Whether a layer has experts: DeepSeek's, Qwen's and Mixtral's way to say it."""
    return bool(
        _expert_count(fields)
        and index >= fields.number("first_k_dense_replace", default=0)
        and index % fields.number("moe_layer_freq", default=1) == 0
        and (index + 1) % fields.number("decoder_sparse_step", default=1) == 0
        and index not in fields.items("mlp_only_layers")
    )


def _expert_count(fields: Fields) -> int:
    return fields.number("n_routed_experts", "num_experts", "num_local_experts", default=0)


def _expert(fields: Fields) -> int:
    return fields.number("moe_intermediate_size", "intermediate_size")


def _inner(fields: Fields) -> int:
    return fields.number("intermediate_size", "ffn_dim")


def _head(fields: Fields) -> int:
    usual = fields.number("hidden_size") // fields.number("num_attention_heads")
    return fields.number("head_dim", default=max(1, usual))


def _kv_heads(fields: Fields, family: Family) -> int:
    return 1 if family.latent else fields.number("num_key_value_heads", "num_attention_heads")


def _rotations(fields: Fields, family: Family, positions: int) -> int:
    """Elements of the tables of rotations: a row for each position, stretched or not."""
    if family.extra_positions is not None:
        return 0
    if family.latent:
        return positions * fields.number("qk_rope_head_dim")
    rotated = int(_head(fields) * min(1, fields.factor(fields.raw.get("partial_rotary_factor"))))
    rows = lengths.stretched(fields, positions) + (positions if family.local_rotations else 0)
    return rows * rotated


def _dtype(fields: Fields, outer: Fields) -> str:
    said: list[Any] = [part.raw.get(name) for part in (outer, fields) for name in ("dtype", "torch_dtype")]
    named = next((str(value).removeprefix("torch.") for value in said if value), "float32")
    return named if named in _DTYPES else "float32"
