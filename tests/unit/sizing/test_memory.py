"""Weights, cache and the rest on one rank, against sums done by hand; and what must hold for any engine."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepseekserve import sizing
from deepseekserve.sizing import Plan, Room, Setup, indivisible, read_format, read_shape, weights_bytes
from deepseekserve.sizing.allocator import allocated
from deepseekserve.sizing.setup import NEWEST
from deepseekserve.sizing.weights import stages
from deepseekserve.sizing.working import activation_bytes, graph_bytes, other_bytes
from tests.unit.sizing.models import config, gemma3, llama

GIB, MIB = 1 << 30, 1 << 20
ROOM = Room(24 * GIB)


def shape(name: str) -> sizing.Shape:
    return read_shape(config(name))


def plan(raw: dict[str, Any], **setup: Any) -> Plan:
    return Plan(read_shape(raw), read_format(raw, None), Setup(**setup))


# Weights

def test_torch_takes_what_it_cannot_split_off() -> None:
    assert allocated([1, 513]) == 512 + 1024
    assert allocated([12 * MIB]) == 12 * MIB
    assert allocated([int(12.5 * MIB)]) == int(12.5 * MIB)          # 1.5 MiB are free for others
    assert allocated([13 * MIB]) == 14 * MIB                         # 1 MiB is not
    assert allocated([int(12.5 * MIB), int(1.25 * MIB)]) == 14 * MIB
    assert allocated([8 * MIB] * 3) == 24 * MIB
    assert allocated([9 * MIB, 10 * MIB]) == 20 * MIB
    assert allocated([9 * MIB, 9 * MIB]) == 18 * MIB


@pytest.mark.parametrize(("name", "tensor", "gib"), [       # what engines have reported on GPUs: docs/sizing.md
    ("Meta-Llama-3-8B-Instruct", 1, 14.9596), ("Llama-3.1-8B-Instruct", 1, 14.9888), ("opt-125m", 1, 0.2389),
    ("phi-2", 1, 5.1933), ("DeepSeek-R1-Distill-Qwen-14B", 1, 27.5916),
])
def test_weights_are_what_engines_report(name: str, tensor: int, gib: float) -> None:
    assert weights_bytes(shape(name), None, Setup(tensor=tensor)) / GIB == pytest.approx(gib, rel=0.0005)


def test_ranks_share_the_weights_but_for_what_each_must_hold() -> None:
    one, eight = (weights_bytes(shape("DeepSeek-R1"), None, Setup(tensor=ranks)) for ranks in (1, 8))
    assert one / 8 < eight < one / 8 * 1.02


def test_kv_heads_are_replicated_where_there_are_more_ranks() -> None:
    two, four = (weights_bytes(replace(read_shape(llama()), rope_elements=0), None, Setup(tensor=n)) for n in (2, 4))
    two_matrices_of_one_head = 2 * 64 * 512 * 2
    norms = 4 * 2 * 512 * 2 + 512 * 2
    assert four - two / 2 == 4 * two_matrices_of_one_head / 2 + norms / 2


def test_the_stage_before_the_last_takes_what_is_left_over() -> None:
    assert stages(61, 4) == [15, 15, 16, 15]
    assert stages(8, 2) == [4, 4]
    assert stages(2, 4) == [0, 1, 1, 0]


def test_the_fullest_stage_counts() -> None:
    whole, halves = (weights_bytes(shape("Llama-3.1-8B-Instruct"), None, Setup(pipeline=n)) for n in (1, 2))
    table = 128256 * 4096 * 2
    assert halves == pytest.approx((whole - 2 * table) / 2 + table, rel=0.01)


def test_a_table_that_is_tied_is_held_once_on_one_stage_and_by_both_ends_of_two() -> None:
    tied, other = read_shape(llama(tie_word_embeddings=True)), read_shape(llama())
    table = 1024 * 512 * 2
    assert weights_bytes(other, None, Setup()) - weights_bytes(tied, None, Setup()) == table
    assert weights_bytes(other, None, Setup(pipeline=2)) == weights_bytes(tied, None, Setup(pipeline=2))


def test_the_draft_layer_is_held_when_it_is_used() -> None:
    r1 = shape("DeepSeek-R1")
    form = read_format(config("DeepSeek-R1"), None)
    without, with_it = (weights_bytes(r1, form, Setup(tensor=8, draft=draft)) for draft in (False, True))
    assert 1.3 * GIB < with_it - without < 1.6 * GIB


def test_r1_in_fp8_takes_80_gib_of_each_of_eight_gpus() -> None:
    r1 = config("DeepSeek-R1")
    assert weights_bytes(read_shape(r1), read_format(r1, None), Setup(tensor=8)) / GIB == pytest.approx(79.6, abs=0.1)


def test_a_vision_tower_is_held_by_the_first_stage() -> None:
    with_it = read_shape(gemma3())
    assert weights_bytes(with_it, None, Setup()) - weights_bytes(replace(with_it, tower=()), None, Setup()) > 0.7 * GIB


@pytest.mark.parametrize(("name", "tensor", "says"), [
    ("DeepSeek-R1-Distill-Qwen-32B", 3, ["40 attention heads", "8 KV heads"]),
    ("DeepSeek-R1-Distill-Qwen-32B", 4, []),
    ("DeepSeek-R1-Distill-Qwen-32B", 5, ["8 KV heads", "a vocabulary of 152064 rows", "an inner size of 27648"]),
    ("DeepSeek-R1-Distill-Qwen-1.5B", 4, []),
    ("DeepSeek-R1", 8, []),
    ("DeepSeek-R1-Distill-Qwen-14B", 8, []),
    ("DeepSeek-R1-Distill-Qwen-14B-quantized.w4a16", 8, ["an inner size of 13824 in blocks of 128"]),
    ("DeepSeek-R1", 32, ["an inner size of 2048 in blocks of 128", "an inner size of 18432 in blocks of 128"]),
])
def test_what_cannot_be_divided_is_named_with_its_number(name: str, tensor: int, says: list[str]) -> None:
    assert list(indivisible(shape(name), read_format(config(name), None), Setup(tensor=tensor))) == says


def test_experts_that_are_shared_by_their_number_need_not_be_divided() -> None:
    mixed = read_shape(llama(num_experts=8, moe_intermediate_size=100))
    assert list(indivisible(mixed, None, Setup(tensor=8))) == ["an inner size of 100"]
    assert list(indivisible(mixed, None, Setup(tensor=8, whole_experts=True))) == []


GROUPS = {"quant_method": "gptq", "bits": 4, "group_size": 128}
BLOCKS = {"quant_method": "fp8", "weight_block_size": [128, 128]}
WORDS = {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {
    "num_bits": 4, "strategy": "group", "group_size": 128}}}}


@pytest.mark.parametrize(("described", "version", "tensor", "says"), [
    (GROUPS, NEWEST, 4, []),                             # 192 of each rank: groups of 64
    (GROUPS, (0, 15, 1), 4, []),
    (GROUPS, NEWEST, 16, ["an inner size of 768 in blocks of 128"]),       # 48: groups of 16 are too small
    (BLOCKS, NEWEST, 4, []),
    (BLOCKS, (0, 30), 4, ["an inner size of 768 in blocks of 128"]),
    (WORDS, NEWEST, 4, ["an inner size of 768 in blocks of 128"]),
])
def test_of_an_experts_inner_size_the_engine_makes_smaller_blocks(
    described: dict[str, Any], version: tuple[int, ...], tensor: int, says: list[str],
) -> None:
    raw = llama(hidden_size=2048, intermediate_size=6144, num_attention_heads=32, num_key_value_heads=32,
                num_experts=8, moe_intermediate_size=768, quantization_config=described)
    setup = Setup(tensor=tensor, version=version)
    assert list(indivisible(read_shape(raw), read_format(raw, None), setup)) == says


def test_a_pooling_model_is_loaded_without_its_head() -> None:
    tiny = read_shape(llama(vocab_size=65536))
    assert weights_bytes(tiny, None, Setup()) - weights_bytes(tiny, None, Setup(head=False)) == 65536 * 512 * 2


# Cache

@pytest.mark.parametrize(("name", "setup", "bytes_"), [
    ("DeepSeek-R1-Distill-Qwen-1.5B", Setup(), 28672),
    ("DeepSeek-R1-Distill-Llama-8B", Setup(), 131072),
    ("DeepSeek-R1-Distill-Llama-8B", Setup(cache_bytes=1), 65536),
    ("DeepSeek-R1-Distill-Llama-8B", Setup(tensor=4), 32768),
    ("DeepSeek-R1-Distill-Llama-8B", Setup(tensor=16), 16384),
    ("DeepSeek-R1-Distill-Llama-8B", Setup(pipeline=2), 65536),
    ("DeepSeek-R1", Setup(tensor=8), 70272),
    ("DeepSeek-V3.2", Setup(tensor=8), 70272 + 61 * 132),
    ("DeepSeek-R1", Setup(tensor=8, draft=True), 70272 + 1152),
    ("phi-2", Setup(), 327680),
])
def test_a_token_takes_what_its_layers_keep(name: str, setup: Setup, bytes_: int) -> None:
    assert sizing.token_bytes(shape(name), setup) == bytes_


def test_a_request_takes_whole_blocks() -> None:
    tiny = read_shape(llama())
    token = sizing.token_bytes(tiny, Setup())
    assert sizing.request_bytes(tiny, Setup(), 17) == 32 * token
    assert sizing.request_bytes(tiny, Setup(block_tokens=128), 17) == 128 * token


def test_the_largest_context_is_in_blocks_leaves_one_and_is_no_longer_than_the_models_own() -> None:
    tiny, setup = read_shape(llama()), Setup()
    block = 16 * sizing.token_bytes(tiny, setup)
    assert sizing.largest_context(tiny, setup, 10 * block + 1) == 9 * 16
    assert sizing.largest_context(tiny, setup, 1000 * block) == 4096
    assert sizing.largest_context(tiny, setup, block) == 0
    assert sizing.largest_context(tiny, setup, -block) == 0


def test_the_cpu_engines_own_choice_of_a_context_is_found_again() -> None:       # log ok-n-maxlen-auto
    tiny = read_shape(llama(hidden_size=128, num_attention_heads=4, num_hidden_layers=2, max_position_embeddings=32768))
    assert sizing.largest_context(tiny, Setup(block_tokens=128), 4 * MIB) == 8064


def test_windows_take_turns_with_layers_that_look_at_everything() -> None:
    gemma, setup = read_shape(gemma3()), Setup()                  # 5 layers of 34 look at everything: 7 groups of 5
    block = 16 * 5 * 2 * 4 * 256 * 2
    windowed = -(-(1023 + 2 * 2048) // 16) + 1
    assert sizing.request_bytes(gemma, setup, 131072) == (8192 + 6 * windowed) * block
    assert sizing.request_bytes(gemma, setup, 16) == (1 + 6 * 2) * block
    assert sizing.capacity(gemma, setup, 1000 * block, context=131072) == 1000 * 131072 // (8192 + 6 * windowed)


def test_older_engines_count_the_tokens_of_windows_otherwise() -> None:
    gemma = read_shape(gemma3())
    memory = 10 * GIB                                    # 34 layers, or 7 groups of 5 that take turns
    token = 2 * 4 * 256 * 2
    assert sizing.capacity(gemma, Setup(version=(0, 15, 1)), memory, context=8192) == 74896      # as 0.15.1 says it
    assert sizing.capacity(gemma, Setup(version=(0, 8, 5)), memory, context=8192) == memory // (16 * 34 * token) * 16
    assert sizing.request_bytes(gemma, Setup(version=(0, 7, 3)), 131072) == 131072 * 34 * token
    assert sizing.request_bytes(gemma, Setup(version=(0, 8, 5)), 131072) == sizing.request_bytes(gemma, Setup(), 131072)


def test_layers_of_one_kind_make_one_group_and_kinds_of_almost_one_size_are_padded() -> None:
    all_windowed = read_shape(llama(sliding_window=64))
    assert sizing.request_bytes(all_windowed, Setup(batched_tokens=16), 4096) == (6 + 1) * 16 * 4 * 2 * 2 * 64 * 2
    types = ["sliding_attention"] * 5 + ["full_attention"] * 4
    uneven = read_shape(llama(num_hidden_layers=9, sliding_window=64, layer_types=types))
    assert sizing.request_bytes(uneven, Setup(batched_tokens=16), 4096) == (256 + 7) * 16 * 5 * 2 * 2 * 64 * 2


def test_no_memory_holds_no_token() -> None:
    assert sizing.capacity(read_shape(llama()), Setup(), -5, context=4096) == 0


# The rest

def test_activations_are_the_larger_of_a_full_batch_and_of_all_requests_logits() -> None:
    tiny = read_shape(llama())
    assert activation_bytes(tiny, Setup(batched_tokens=4096, sequences=1)) == 4096 * (2 * 512 + 3 * 1024) * 2
    assert activation_bytes(tiny, Setup(batched_tokens=1024, sequences=1024)) == 1024 * 1024 * 4 * 4


def test_experts_widen_a_batch_by_each_expert_that_a_token_visits() -> None:
    mixed = read_shape(llama(num_experts=8, moe_intermediate_size=256, num_experts_per_tok=2))
    assert activation_bytes(mixed, Setup(batched_tokens=4096, sequences=1)) == 4096 * (2 * 512 + 2 * (512 + 256)) * 2


def test_graphs_are_captured_for_few_sizes_and_not_at_all_in_eager_mode() -> None:
    tiny = read_shape(llama())
    assert graph_bytes(tiny, Setup(sequences=256)) == (51 + 35) * 4 * 200 * 1024       # as logs of 0.27 count them
    assert graph_bytes(tiny, Setup(sequences=32)) == (11 + 7) * 4 * 200 * 1024         # 0.23
    assert graph_bytes(tiny, Setup(sequences=1024)) == 2 * 51 * 4 * 200 * 1024
    assert graph_bytes(tiny, Setup(graphs=False)) == 0


def test_older_engines_sort_the_logits_and_count_neither_graphs_nor_all_that_is_not_torchs() -> None:
    tiny, rows = read_shape(llama()), 1024
    older, newer = (Setup(batched_tokens=1024, sequences=rows, version=release) for release in ((0, 16, 9), (0, 17)))
    assert activation_bytes(tiny, older) == rows * 1024 * 4 * 7
    assert activation_bytes(tiny, newer) == rows * 1024 * 4 * 4
    assert [graph_bytes(tiny, Setup(version=release)) > 0 for release in ((0, 20), (0, 21))] == [False, True]
    assert [other_bytes(Setup(version=release)) // MIB for release in ((0, 20), (0, 21))] == [200, 1000]


def test_ranks_need_room_to_talk() -> None:
    assert other_bytes(Setup(pipeline=2)) - other_bytes(Setup()) == 600 * MIB


# All of it

def test_what_is_left_of_the_budget_is_cache() -> None:
    found = sizing.size(plan(config("DeepSeek-R1-Distill-Llama-8B")), Room(24 * GIB), 8192)
    assert found.budget == -(-24 * GIB * 90 // 100)
    assert found.cache == found.budget - found.weights - found.overhead
    assert found.needs == found.weights + found.overhead + found.request
    assert found.tokens == found.cache // (16 * 131072) * 16
    assert found.tokens - found.largest in range(16, 33)


def test_a_cache_of_fixed_size_may_use_the_whole_gpu() -> None:
    found = sizing.size(plan(config("DeepSeek-R1-Distill-Llama-8B")), Room(24 * GIB, cache=2 * GIB), 8192)
    assert (found.budget, found.cache, found.tokens) == (24 * GIB, 2 * GIB, 16384)


def test_a_prediction_may_be_wrong_by_a_few_percent_of_the_gpu() -> None:
    assert Room(100 * GIB).margin == 3 * GIB


def test_the_fewest_ranks_that_hold_a_model_divide_its_heads() -> None:
    assert sizing.smallest_tensor(plan(config("DeepSeek-R1-Distill-Qwen-1.5B")), ROOM, 8192) == 1
    assert sizing.smallest_tensor(plan(config("DeepSeek-R1-Distill-Qwen-32B")), ROOM, 8192) == 4
    assert sizing.smallest_tensor(plan(config("DeepSeek-R1"), dtype="bfloat16"), Room(4 * GIB), 8192) is None


SHAPES = st.builds(
    llama, num_hidden_layers=st.integers(1, 12), num_key_value_heads=st.sampled_from([1, 2, 4, 8]),
    vocab_size=st.integers(1, 200_000), intermediate_size=st.sampled_from([1024, 4096, 11008]),
    hidden_size=st.sampled_from([512, 2048, 4096]), sliding_window=st.sampled_from([None, 128]),
)
SETUPS = st.builds(
    Setup, tensor=st.sampled_from([1, 2, 4, 8]), pipeline=st.integers(1, 3), sequences=st.integers(1, 2000),
    batched_tokens=st.integers(1, 20_000), cache_bytes=st.sampled_from([1, 2]), graphs=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(raw=SHAPES, setup=SETUPS, context=st.integers(1, 4000), more=st.integers(0, 5000), percent=st.integers(1, 99))
def test_more_of_anything_takes_more_and_more_ranks_or_memory_leave_more(
    raw: dict[str, Any], setup: Setup, context: int, more: int, percent: int,
) -> None:
    def sized(room: Room = ROOM, tokens: int = context, **changes: Any) -> sizing.Sizing:
        return sizing.size(Plan(read_shape(raw), None, replace(setup, **changes)), room, tokens)

    base = sized()
    terms = (base.weights, base.activations, base.graphs, base.other, base.token, base.request, base.tokens,
             base.largest, base.budget)
    assert min(terms) >= 0
    assert sized(tokens=context + more).needs >= base.needs
    assert sized(sequences=setup.sequences + more).needs >= base.needs
    assert sized(batched_tokens=setup.batched_tokens + more).needs >= base.needs
    assert sized(Room(ROOM.total, percent)).largest <= sized(Room(ROOM.total, percent + 1)).largest
    shared = sized(tensor=2 * setup.tensor)
    assert shared.weights <= base.weights
    assert shared.token <= base.token
    assert shared.activations <= base.activations
