"""config.json becomes a shape: each architecture's sum is that of its files; what is not known is not guessed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepseekserve import catalog, sizing
from deepseekserve.sizing import DamagedConfigError, NotSizedError, checkpoint_bytes, read_format, read_shape
from tests.unit.sizing.models import config, gemma3, llama

# A published size in bytes, for architectures that the catalogue has none of.
PUBLISHED = {
    "gemma-3-4b-it": (gemma3(), 8_600_158_944),
    "gemma-2-9b-it": (llama(
        architectures=["Gemma2ForCausalLM"], model_type="gemma2", hidden_size=3584, intermediate_size=14336,
        num_hidden_layers=42, num_attention_heads=16, num_key_value_heads=8, head_dim=256, vocab_size=256000,
        max_position_embeddings=8192, sliding_window=4096, tie_word_embeddings=None), 18_483_411_968),
    "Mixtral-8x7B": (llama(
        architectures=["MixtralForCausalLM"], hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8, vocab_size=32000, num_local_experts=8,
        num_experts_per_tok=2), 93_405_585_408),
    "Qwen1.5-MoE-A2.7B": (llama(
        architectures=["Qwen2MoeForCausalLM"], hidden_size=2048, intermediate_size=5632, num_hidden_layers=24,
        num_attention_heads=16, num_key_value_heads=16, vocab_size=151936, num_experts=60, num_experts_per_tok=4,
        moe_intermediate_size=1408, shared_expert_intermediate_size=5632, decoder_sparse_step=1), 28_631_568_384),
}
EXACT = 0.0001


STATED = "DeepseekV4ForCausalLM"          # its sizes are stated, not computed


@pytest.mark.parametrize(
    "model", [m for m in catalog.MODELS if m.weights_bytes and m.config["architectures"] != [STATED]],
    ids=lambda m: m.name)
def test_the_sum_over_a_checkpoint_is_the_sum_of_its_files(model: catalog.CatalogModel) -> None:
    found = checkpoint_bytes(read_shape(model.config), read_format(model.config, None))
    assert found == pytest.approx(model.weights_bytes, rel=0.01 if "rounded" in model.bytes_basis else EXACT)


@pytest.mark.parametrize("name", PUBLISHED)
def test_other_architectures_have_their_published_size(name: str) -> None:
    raw, size = PUBLISHED[name]
    assert checkpoint_bytes(read_shape(raw), None) == pytest.approx(size, rel=EXACT)


@pytest.mark.parametrize("model", [m for m in catalog.MODELS if not m.base and m.parameters], ids=lambda m: m.name)
def test_a_plain_checkpoint_has_two_bytes_for_each_parameter(model: catalog.CatalogModel) -> None:
    plain = {key: value for key, value in model.config.items() if key != "quantization_config"}
    if plain["architectures"] == ["DeepseekV4ForCausalLM"]:
        with pytest.raises(NotSizedError, match="DeepseekV4ForCausalLM"):
            read_shape(plain)
        return
    assert checkpoint_bytes(read_shape(plain), None) == pytest.approx(2 * (model.parameters or 0), rel=EXACT)


# What is not known

@pytest.mark.parametrize("raw", [
    {}, {"architectures": ["MambaForCausalLM"]}, {"architectures": ["LlamaForCausalLM", "Other"]},
    {"architectures": "LlamaForCausalLM"}, llama(word_embed_proj_dim=128),
])
def test_an_architecture_without_a_formula_is_not_sized(raw: dict[str, Any]) -> None:
    with pytest.raises(NotSizedError, match="no formula"):
        read_shape(raw)


@pytest.mark.parametrize(("raw", "says"), [
    (None, "no map"),
    ([], "no map"),
    (llama(hidden_size=None), "no hidden_size"),
    (llama(hidden_size="512"), "hidden_size: '512', which is no size"),
    (llama(hidden_size=-1), "hidden_size: '-1'"),
    (llama(num_attention_heads=True), "num_attention_heads"),
    (llama(vocab_size=0), "vocab_size"),
    (llama(vocab_size=1 << 50), "vocab_size"),
    (llama(num_hidden_layers=5000), "more than any model"),
    (llama(intermediate_size=None), "no intermediate_size and no ffn_dim"),
])
def test_a_damaged_config_names_the_field(raw: object, says: str) -> None:
    with pytest.raises(DamagedConfigError, match=says):
        read_shape(raw)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert read_shape(llama(hidden_size=512.0)).hidden == 512


# Details

@pytest.mark.parametrize(("changes", "context"), [
    ({}, 4096),
    ({"rope_scaling": {"type": "linear", "factor": 4.0}}, 16384),
    ({"rope_scaling": {"rope_type": "dynamic", "factor": 2}}, 8192),
    ({"rope_scaling": {"rope_type": "yarn", "factor": 40}}, 4096),
    ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 4096),
    ({"rope_scaling": {"rope_type": "linear", "factor": None}}, 4096),
    ({"rope_parameters": {"rope_type": "linear", "factor": 2.0}}, 8192),
    ({"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0}, "sliding_attention": {}}}, 8192),
    ({"rope_scaling": {"rope_type": "linear", "factor": 8.0}, "model_type": "gemma3_text"}, 4096),
])
def test_a_models_own_context_is_scaled_as_the_engine_scales_it(changes: dict[str, Any], context: int) -> None:
    assert read_shape(llama(**changes)).context == context


@pytest.mark.parametrize(("changes", "windows"), [
    ({}, [None] * 4),
    ({"sliding_window": 64}, [64] * 4),
    ({"sliding_window": 64, "use_sliding_window": False}, [None] * 4),
    ({"sliding_window": None}, [None] * 4),
    ({"sliding_window": 64, "architectures": ["Qwen2ForCausalLM"]}, [None] * 4),
    ({"sliding_window": 64, "architectures": ["Qwen2ForCausalLM"], "use_sliding_window": True}, [None] * 4),
    ({"sliding_window": 64, "architectures": ["Qwen3ForCausalLM"], "use_sliding_window": True, "max_window_layers": 3},
     [None] * 3 + [64]),
    ({"sliding_window": 64, "architectures": ["Qwen2ForCausalLM"], "use_sliding_window": True, "max_window_layers": 0},
     [64] * 4),
    ({"sliding_window": 64, "sliding_window_pattern": 2}, [64, None, 64, None]),
    ({"sliding_window": 64, "layer_types": ["full_attention", "sliding_attention"] * 2}, [None, 64, None, 64]),
])
def test_a_window_belongs_to_the_layers_that_have_one(changes: dict[str, Any], windows: list[int | None]) -> None:
    assert [layer.cached.window for layer in read_shape(llama(**changes)).layers] == windows


def test_the_checkpoints_number_format_is_read_under_both_names_and_may_be_anything() -> None:
    assert read_shape(llama(torch_dtype="torch.float16")).dtype == "float16"
    assert read_shape(llama(torch_dtype=None, dtype="bfloat16")).dtype == "bfloat16"
    assert read_shape(llama(torch_dtype="float8")).dtype == "float32"
    assert read_shape(llama(torch_dtype=None)).dtype == "float32"


@pytest.mark.parametrize(("architecture", "fields", "token"), [
    ("Qwen3ForCausalLM", {}, 2 * 128), ("Qwen3ForCausalLM", {"head_dim": 32}, 2 * 32),
    ("Qwen3MoeForCausalLM", {}, 2 * 64), ("GemmaForCausalLM", {}, 2 * 256),
    ("LlamaForCausalLM", {}, 2 * 64), ("MistralForCausalLM", {"num_key_value_heads": 2}, 2 * 64),
])
def test_what_a_config_leaves_out_is_what_transformers_takes(
    architecture: str, fields: dict[str, Any], token: int,
) -> None:
    assert read_shape(llama(architectures=[architecture], **fields)).layers[0].cached.elements == token


def test_a_mistral_that_does_not_say_it_has_eight_kv_heads() -> None:
    raw = llama(architectures=["MistralForCausalLM"], num_attention_heads=16)
    del raw["num_key_value_heads"]
    assert read_shape(raw).kv_heads == 8


def test_part_of_a_head_may_be_rotated() -> None:
    assert read_shape(config("phi-2")).rope_elements == 2048 * 32
    assert read_shape(llama(partial_rotary_factor="half")).rope_elements == 4096 * 64


def test_a_table_of_rotations_is_stretched_with_the_context_and_gemma_3_has_two() -> None:
    assert read_shape(llama(rope_scaling={"type": "linear", "factor": 8.0})).rope_elements == 8 * 4096 * 64
    assert read_shape(llama(rope_scaling={"type": "yarn", "factor": 8.0})).rope_elements == 4096 * 64
    assert read_shape(gemma3()).rope_elements == (8 + 1) * 131072 * 256


def test_experts_stand_in_the_layers_that_have_them() -> None:
    raw = llama(num_experts=8, moe_intermediate_size=256, mlp_only_layers=[1], num_experts_per_tok=2)
    names = [{m.name for m in layer.matrices} for layer in read_shape(raw).layers]
    assert ["mlp.gate" in found for found in names] == [True, False, True, True]
    assert sizing.read_shape(raw).visits == 2


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["rope_type", "factor", "quant_method", "bits", "group_size", "config_groups", "weights", "strategy",
         "weight_block_size", "ignore", "hidden_size"]), inner, max_size=4), max_leaves=6)
FIELDS = sorted({
    *llama(), *gemma3(), *config("DeepSeek-V3.2"), *config("opt-125m"), "rope_parameters", "layer_types",
    "sliding_window", "sliding_window_pattern", "num_experts", "mlp_only_layers", "partial_rotary_factor", "head_dim",
} - {"architectures"})


@settings(max_examples=100, deadline=None)
@given(
    architecture=st.sampled_from(["LlamaForCausalLM", "Gemma3ForConditionalGeneration", "DeepseekV32ForCausalLM",
                                  "OPTForCausalLM", "Qwen2MoeForCausalLM"]),
    damage=st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=4),
    method=st.sampled_from(["fp8", "awq", "gptq", "compressed-tensors", "modelopt", "bitsandbytes", "hqq"]),
    described=st.dictionaries(st.sampled_from(
        ["bits", "group_size", "weight_block_size", "config_groups", "ignore", "quant_algo", "load_in_4bit"]), ANY),
)
def test_no_config_does_more_harm_than_to_be_refused(
    architecture: str, damage: dict[str, Any], method: str, described: dict[str, Any],
) -> None:
    raw = {**config("DeepSeek-V3.2"), **gemma3(), **llama(), **damage, "architectures": [architecture],
           "quantization_config": {"quant_method": method, **described}}
    try:
        shape, form = read_shape(raw), read_format(raw, None)
    except (DamagedConfigError, NotSizedError):
        return
    plan = sizing.Plan(shape, form, sizing.Setup(tensor=2, pipeline=3))
    found = sizing.size(plan, sizing.Room(1 << 34), 4096)
    assert min(found.weights, found.token, found.request, found.tokens, found.largest, found.overhead) >= 0
    assert checkpoint_bytes(shape, form) > 0
