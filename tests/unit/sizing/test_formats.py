"""quantization_config becomes bytes of a matrix, and says what it leaves as it was."""

from typing import Any

import pytest

from deepseekserve.sizing import Format, NotSizedError, method_of, read_format
from tests.unit.sizing.models import llama

OUTPUTS, INPUTS = 512, 1024
WEIGHTS = OUTPUTS * INPUTS
W4A16 = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128, "symmetric": True}


def quantized(**described: Any) -> dict[str, Any]:
    return llama(quantization_config=described)


def compressed(weights: dict[str, Any], **described: Any) -> dict[str, Any]:
    return quantized(quant_method="compressed-tensors", config_groups={"group_0": {"weights": weights}}, **described)


@pytest.mark.parametrize(("raw", "pieces"), [
    (quantized(quant_method="fp8", weight_block_size=[128, 128]), (WEIGHTS, 4 * 8 * 4, 0)),
    (quantized(quant_method="fp8"), (WEIGHTS, 4 * INPUTS // INPUTS, 0)),
    (quantized(quant_method="awq", bits=4, group_size=128), (WEIGHTS // 2, OUTPUTS * 8 * 2, OUTPUTS * 8 // 2)),
    (quantized(quant_method="awq", w_bit=4, q_group_size=64, zero_point=False), (WEIGHTS // 2, OUTPUTS * 16 * 2, 0)),
    (quantized(quant_method="gptq", bits=3, group_size=128), (WEIGHTS * 3 // 8, OUTPUTS * 8 * 2, 0)),
    (quantized(quant_method="gptq", bits=8, group_size=-1, sym=False), (WEIGHTS, OUTPUTS * 2, OUTPUTS)),
    (compressed(W4A16), (WEIGHTS // 2, OUTPUTS * 8 * 2, 0)),
    (compressed({**W4A16, "symmetric": False}), (WEIGHTS // 2, OUTPUTS * 8 * 2, OUTPUTS * 8 // 2)),
    (compressed({"num_bits": 8, "strategy": "channel"}), (WEIGHTS, OUTPUTS * 2, 0)),
    (compressed({"num_bits": 8, "strategy": "tensor"}), (WEIGHTS, 2, 0)),
    (compressed({"num_bits": 8, "strategy": "block", "block_structure": [64, 64]}), (WEIGHTS, 8 * 16 * 2, 0)),
    (compressed({"num_bits": 8, "strategy": "block"}), (WEIGHTS, 4 * 8 * 2, 0)),
    (compressed({"num_bits": 4, "strategy": "tensor_group", "group_size": 16}), (WEIGHTS // 2, OUTPUTS * 64, 0)),
    (quantized(quant_method="modelopt", quant_algo="FP8"), (WEIGHTS, 4, 0)),
    (quantized(quant_method="modelopt", quant_algo="NVFP4"), (WEIGHTS // 2, OUTPUTS * 64, 0)),
    (quantized(quant_method="bitsandbytes", load_in_4bit=True), (WEIGHTS // 2, OUTPUTS * 16 * 4, 0)),
    (quantized(quant_method="bitsandbytes", load_in_4bit=True, bnb_4bit_use_double_quant=True),
     (WEIGHTS // 2, OUTPUTS * 16, 0)),
    (quantized(quant_method="bitsandbytes", load_in_8bit=True), (WEIGHTS, OUTPUTS * 4, 0)),
])
def test_a_format_says_the_bytes_of_a_matrix_with_scales_and_zero_points(
    raw: dict[str, Any], pieces: tuple[int, int, int],
) -> None:
    found = read_format(raw, None)
    assert found
    assert found.pieces(OUTPUTS, INPUTS) == pieces


@pytest.mark.parametrize(("raw", "in_fp8"), [
    (quantized(quant_method="modelopt", quant_algo="FP8"), False),
    (quantized(quant_method="modelopt", quant_algo="FP8", kv_cache_quant_algo="FP8"), True),
    (quantized(quant_method="modelopt", quant_algo="NVFP4",
               kv_cache_scheme={"num_bits": 8, "type": "float", "dynamic": False}), True),
    (quantized(quant_method="modelopt", quant_algo="FP8", kv_cache_scheme={"num_bits": 4, "type": "float"}), False),
    (compressed(W4A16, kv_cache_scheme={"num_bits": 8, "type": "float"}), True),
    (compressed(W4A16, kv_cache_scheme=None), False),
    (quantized(quant_method="fp8"), False),
])
def test_a_checkpoint_may_have_scales_for_a_kv_cache_in_fp8(raw: dict[str, Any], in_fp8: bool) -> None:
    found = read_format(raw, None)
    assert found
    assert found.fp8_cache is in_fp8


@pytest.mark.parametrize("raw", [
    quantized(quant_method="hqq"),
    quantized(quant_method="awq"),
    quantized(quant_method="awq", bits="four"),
    quantized(quant_method="compressed-tensors"),
    quantized(quant_method="compressed-tensors", config_groups={"a": 1}),
    quantized(quant_method="compressed-tensors", config_groups={
        "a": {"weights": W4A16}, "b": {"weights": {**W4A16, "num_bits": 8}}}),
    quantized(quant_method="modelopt", quant_algo="MIXED_PRECISION"),
])
def test_a_format_without_a_formula_is_not_sized(raw: dict[str, Any]) -> None:
    with pytest.raises(NotSizedError, match="no formula"):
        read_format(raw, None)


def test_a_plain_checkpoint_has_no_format_unless_the_engine_makes_one() -> None:
    assert method_of(llama()) is None
    assert method_of(llama(quantization_config="damaged")) is None
    assert method_of(llama(quantization_config={"bits": 4})) is None
    assert read_format(llama(), None) is None
    assert read_format(llama(), "awq") is None
    online = read_format(llama(), "int8_per_channel_weight_only")
    assert online
    assert online.touches("model.layers.0.mlp.experts.up_proj")
    assert not online.touches("model.layers.0.self_attn.q_proj")


def test_the_checkpoints_own_quantization_goes_before_what_is_asked_for() -> None:
    found = read_format(quantized(quant_method="fp8"), "int8_per_channel_weight_only")
    assert found
    assert found.method == "fp8"


@pytest.mark.parametrize(("pattern", "name", "is_touched"), [
    ("lm_head", "model.layers.0.mlp.up_proj", True),
    ("model.layers.0.mlp", "model.layers.0.mlp.up_proj", False),
    ("re:.*self_attn.*", "model.layers.0.self_attn.q_proj", False),
    ("re:.*self_attn.*", "model.layers.0.mlp.up_proj", True),
    ("re:*", "model.layers.0.mlp.up_proj", True),
])
def test_what_a_checkpoint_leaves_out_is_left_as_it_was(pattern: str, name: str, is_touched: bool) -> None:
    assert Format("awq", 4, ignored=(pattern,)).touches(name) is is_touched


def test_lists_of_what_is_left_out_are_read_under_every_name() -> None:
    for described in (
        {"quant_method": "fp8", "ignored_layers": ["x"]}, {"quant_method": "fp8", "modules_to_not_convert": ["x"]},
        {"quant_method": "awq", "bits": 4, "modules_to_not_convert": ["x"]},
        {"quant_method": "compressed-tensors", "config_groups": {"a": {"weights": W4A16}}, "ignore": ["x"]},
        {"quant_method": "modelopt", "quant_algo": "FP8", "exclude_modules": ["x"]},
        {"quant_method": "bitsandbytes", "llm_int8_skip_modules": ["x"]},
    ):
        found = read_format(quantized(**described), None)
        assert found
        assert found.ignored == ("x",)
