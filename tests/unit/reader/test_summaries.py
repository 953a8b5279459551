"""A Summary on its way: what is kept of config.json, the message, and the message read again by the operator."""

import ast
import base64
import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepseekserve import catalog, facts, fits, sizing
from deepseekserve.reader import fields, summary
from deepseekserve.reader.summary import Outcome, Summary, Weights
from tests.unit.fits.cases import serve
from tests.unit.sizing.models import gemma3, llama

SOURCES = Path(sizing.__file__).parent
LIMIT = 4096
PLAIN: dict[str, Any] = {"schema": 1, "outcome": "Read", "config": {"hidden_size": 1}}


def shape(config: object) -> object:
    """What sizing makes of a config, or what it finds wrong."""
    try:
        return sizing.read_shape(config)
    except (sizing.DamagedConfigError, sizing.NotSizedError) as error:
        return str(error)


def form(config: Any) -> object:
    try:
        return sizing.read_format(config, None)
    except sizing.NotSizedError as error:
        return str(error)


def sent(**parts: Any) -> Summary:
    """A summary as it arrives."""
    data = summary.message(Summary(Outcome.READ, **parts))
    assert len(data) < LIMIT
    return facts.parse_summary(data.decode())


# What is kept

def used(module: str) -> set[str]:
    """Names of fields that a module of sizing looks up."""
    found = set()
    for node in ast.walk(ast.parse((SOURCES / module).read_text())):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("number", "optional", "flag", "limit", "part", "items", "get", "_bits", "_group"):
                values = {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
                found |= {value for value in values if isinstance(value, str)}
    return found


def test_every_field_that_sizing_looks_up_is_kept() -> None:
    parts = {"text_config", "vision_config", "rope_scaling", "rope_parameters", fields.WHOLE}
    looked_up = used("reading.py") | used("lengths.py")
    assert looked_up - {"default"} == {*fields.FIELDS, *fields.SCALING, *fields.TOWER, *parts} - {
        "dtype", "torch_dtype"}
    inside = {"weights", "num_bits", "strategy", "symmetric", "block_structure"}
    assert used("formats.py") - inside - {"quantization_config", "compression_config"} == set(fields.QUANTIZATION)


@pytest.mark.parametrize("config", [
    *(model.config for model in catalog.MODELS), gemma3(), llama(), llama(hidden_size=None),
    llama(num_hidden_layers=0.5), llama(architectures=None), llama(torch_dtype=None, dtype="torch.float16"), {},
    llama(rope_scaling={"mrope_section": [1]}, rope_parameters={"rope_type": "linear", "factor": 4}),
    llama(rope_scaling={}, rope_parameters={"rope_type": "linear", "factor": 4}),
    llama(rope_parameters={"full_attention": {"rope_type": "linear", "factor": 8}, "sliding_attention": {"x": 1}}),
    llama(architectures=["Qwen2ForCausalLM"], sliding_window=9, use_sliding_window=True, max_window_layers=2),
    llama(quantization_config={"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}),
    llama(rope_scaling={"type": "yarn", "factor": 2, "original_max_position_embeddings": 512}, model_max_length=99),
    llama(rope_scaling={"type": "dynamic", "factor": 2}), llama(quantization_config={"other": 1}),
    llama(quantization_config=True, compression_config={"quant_method": "fp8"}),
    llama(quantization_config={}, compression_config={"quant_method": "fp8"}),
    llama(quantization_config={"quant_method": "compressed-tensors", "config_groups": {
        "a": {"weights": {"num_bits": 8}, "targets": ["x"]}, "b": {"weights": {"num_bits": 8}}, "c": 5}}),
    llama(quantization_config={"quant_method": "compressed-tensors", "config_groups": {
        "a": {"weights": {"num_bits": 8}}, "b": {"weights": {"num_bits": 4}}}}),
    llama(quantization_config={"quant_method": "compressed-tensors", "config_groups": {"a": {"weights": None}}}),
    llama(quantization_config={"quant_method": "compressed-tensors", "config_groups": [1]}),
    gemma3(text_config=1, vision_config=1),
], ids=lambda config: str(config.get("architectures")))
def test_sizing_says_the_same_of_what_is_kept(config: Any) -> None:
    kept = fields.keep({**config, "torch_version": "x" * 9000, "auto_map": {"AutoModel": "x"}})
    assert shape(kept) == shape(config)
    assert (form(kept), sizing.method_of(kept)) == (form(config), sizing.method_of(config))
    assert "auto_map" in kept
    assert len(json.dumps(kept)) < 9000


def test_code_of_a_models_own_is_still_warned_of() -> None:
    config = fields.keep(llama(architectures=["New"], auto_map={"AutoModel": "x"}))
    assert fits.judge(serve("hf://a/b"), fits.Known(config)).warnings == (
        "the model brings Python code of its own, and spec.model.trustRemoteCode is false",)


# The message

@pytest.mark.parametrize("model", catalog.MODELS, ids=lambda model: model.name)
def test_every_model_of_the_catalogue_arrives_whole(model: catalog.CatalogModel) -> None:
    weights = Weights("safetensors", 163, 688586727753, {"F8_E4M3": 680571043840, "BF16": 3918786560, "F32": 41555600})
    sent = Summary(
        Outcome.READ, key="0" * 40, config=fields.keep(model.config), generation={"temperature": 0.6},
        has_chat_template=True, has_params=True, weights=weights,
        notes=("tokenizer_config.json is damaged",))
    data = summary.message(sent)
    assert len(data) < LIMIT
    assert facts.parse_summary(data.decode()) == sent


def test_long_lists_are_packed_and_arrive_whole() -> None:
    left = [f"model.layers.{layer}.mlp.experts.{expert}.down_proj" for layer in range(61) for expert in range(40)]
    config = fields.keep(llama(quantization_config={"quant_method": "fp8", "ignored_layers": left},
                               layer_types=["sliding_attention", "full_attention"] * 500))
    assert sent(config=config).config == config


def test_notes_give_way_to_the_config() -> None:
    config = {"architectures": [f"{number * 7919 % 10007:05}" for number in range(850)]}
    found = sent(config=config, notes=("\U0001f600" * 300,) * 3, generation={"top_k": 1})
    assert (found.config, found.notes, found.generation) == (config, (), {})


def test_what_does_not_fit_is_said_not_to() -> None:
    config = {"architectures": [f"{number * 7919 % 100003:05}" for number in range(5000)]}
    found = sent(config=config, weights=Weights("bin", 1, 5))
    assert (found.outcome, found.config, found.weights) == (Outcome.TOO_LARGE, None, Weights("bin", 1, 5))
    assert found.message == "what sizing needs of config.json is 40019 bytes, more than can be passed on"
    damaged = summary.message(Summary(Outcome.DAMAGED, "model.safetensors is damaged", config=config))
    assert facts.parse_summary(damaged.decode()) == Summary(Outcome.DAMAGED, "model.safetensors is damaged")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from([*fields.FIELDS, "quantization_config", "text_config"]), JSON), JSON, st.text())
def test_whatever_a_config_holds_the_message_is_short_and_can_be_read(config: Any, more: Any, text: str) -> None:
    kept = summary.printable(fields.keep({**config, "layer_types": [more] * 300}))
    weights = Weights("safetensors", 1, 1, {f"F{number}": 1 << 49 for number in range(16)})
    data = summary.message(Summary(Outcome.READ, text * 400, "0" * 40, kept, notes=(text * 400,) * 3, weights=weights))
    assert len(data) < LIMIT
    found = facts.parse_summary(data.decode())
    assert found.config in (kept, None)
    assert shape(found.config) == shape(kept) or found.config is None


# Read again

@pytest.mark.parametrize(("text", "why"), [
    ("", "no JSON"), ('{"schema": 1', "no JSON"), ("[" * 200_000, "no JSON"), ("5", "none of this release"),
    ('{"schema": 2}', "none of this release"), ('{"schema": 1, "outcome": "New"}', "no outcome"),
    ('{"schema": 1, "outcome": "Read"}', "no config"), ('{"schema": 1, "outcome": "Read", "config": [1]}', "no config"),
])
def test_what_is_no_summary_is_a_typed_error(text: str, why: str) -> None:
    with pytest.raises(facts.DamagedSummary, match=why):
        facts.parse_summary(text)


def packed(data: bytes, keep: int | None = None) -> str:
    return base64.b85encode(lzma.compress(data, lzma.FORMAT_ALONE)[:keep]).decode()


@pytest.mark.parametrize("text", [
    "\x00", base64.b85encode(b"no").decode(), base64.b85encode(b"n" * 99).decode(), packed(b"{"),
    packed(b'{"a": 1}', 20), packed(b"[" * 200_000), packed(b" " * (2 << 20)),
    base64.b85encode(lzma.compress(b"{}", lzma.FORMAT_ALONE, preset=9)).decode(),        # 64 MiB to unpack
])
def test_a_config_that_cannot_be_unpacked_is_a_typed_error(text: str) -> None:
    with pytest.raises(facts.DamagedSummary, match="cannot be unpacked"):
        facts.parse_summary(json.dumps({"schema": 1, "outcome": "Read", "packed": text}))


def test_a_config_within_a_config_without_an_end_is_a_typed_error() -> None:
    deep = json.loads("[" * 300 + "]" * 300)
    with pytest.raises(facts.DamagedSummary, match="cannot be unpacked"):
        facts.parse_summary(json.dumps({**PLAIN, "config": {"architectures": deep}}))


def test_values_of_the_wrong_kind_become_nothing() -> None:
    wrong: dict[str, Any] = {
        "message": 5, "key": [], "generation": [1], "chatTemplate": 1, "params": "x", "weights": [],
        "notes": 5}
    assert facts.parse_summary(json.dumps({**PLAIN, **wrong})) == Summary(Outcome.READ, config=PLAIN["config"])
    strange = {**wrong, "generation": {"top_k": "1"}, "notes": [1],
               "weights": {"files": 1, "bytes": -1}}
    assert facts.parse_summary(json.dumps({**PLAIN, **strange})) == Summary(
        Outcome.READ, config=PLAIN["config"], notes=("",))
    few = facts.parse_summary(json.dumps({**PLAIN, "weights": {
        "files": 1, "bytes": 2, "dtypes": {f"F{number}": 1 for number in range(99)} | {"BF16": "x"}}})).weights
    assert few is not None
    assert (few.format, len(few.dtypes)) == ("", 16)


def test_the_writer_of_a_message_writes_no_line_of_ours() -> None:
    hostile = "a\n---\nkind: Namespace"
    found = facts.parse_summary(json.dumps({
        **PLAIN, "message": hostile * 99, "key": hostile, "config": {"architectures": [hostile]}, "notes": [hostile]}))
    assert "\n" not in str(found)
    assert found.config == {"architectures": ["a --- kind: Namespace"]}
    assert len(found.message) == summary.MOST_CHARACTERS
