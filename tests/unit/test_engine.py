"""What the engine is started with: arguments, environment, and what may not be said twice."""

import argparse
import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from deepseekserve import api, engine
from deepseekserve.api import InvalidSpec
from tests.golden import cases

FLAGS = [
    line for line in (Path(__file__).parent / "data" / "vllm-0.32-flags.txt").read_text().splitlines()
    if line.startswith("-")
]
REFUSED = {**engine.OWNED_FLAGS, **engine.RESERVED_FLAGS}


def argv(case: str, **groups: Any) -> list[str]:
    return engine.argv(cases.serve(case, groups))


def check(case: str, **groups: Any) -> None:
    engine.check(cases.serve(case, groups))


def after(arguments: list[str], flag: str) -> str:
    return arguments[arguments.index(flag) + 1]


# Arguments

def test_a_model_in_a_claim_is_served_from_its_folder_with_a_kv_cache_that_is_a_share_of_the_memory_limit() -> None:
    assert argv("cpu-tiny") == [
        "vllm", "serve", "/models/tiny-qwen2", "--served-model-name", "tiny-qwen2", "--port", "8000",
        "--max-model-len", "4096", "--kv-cache-memory-bytes", str(2**30), "--enforce-eager",
    ]


def test_a_bare_resource_leaves_every_choice_but_the_share_of_gpu_memory_to_the_engine() -> None:
    assert argv("gpu") == [
        "vllm", "serve", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
        "--served-model-name", "DeepSeek-R1-Distill-Qwen-1.5B", "--port", "8000", "--gpu-memory-utilization", "0.9",
    ]


def test_every_field_of_the_engine_becomes_its_flag_and_extra_arguments_come_last() -> None:
    assert argv("all-fields") == [
        "vllm", "serve", "deepseek-ai/DeepSeek-V2-Lite-Chat",
        "--revision", "85864749cd611b4353ce1decdb286193298f64c7",
        "--served-model-name", "deepseek-v2-lite", "default", "--trust-remote-code", "--port", "8000",
        "--dtype", "bfloat16", "--quantization", "fp8", "--kv-cache-dtype", "fp8",
        "--max-model-len", "16384", "--gpu-memory-utilization", "0.85", "--kv-cache-memory-bytes", str(8 * 2**30),
        "--max-num-seqs", "64", "--max-num-batched-tokens", "8192", "--no-enable-prefix-caching", "--enforce-eager",
        "--tensor-parallel-size", "2", "--pipeline-parallel-size", "2",
        "--reasoning-parser", "deepseek_r1", "--override-generation-config", '{"temperature":0.6}',
        "--chat-template", "costs $(HOME) $$5",
    ]


def test_prefix_caching_can_be_asked_for() -> None:
    assert "--enable-prefix-caching" in argv("gpu", engine={"prefixCaching": True})


@pytest.mark.parametrize("case", cases.CASES)
def test_every_flag_is_one_of_vllm_0_32_and_stands_there_once(case: str) -> None:
    flags = [part for part in argv(case) if part.startswith("-")]
    assert set(flags) <= set(FLAGS)
    assert len(flags) == len(set(flags))


@pytest.mark.parametrize("value", engine.QUANTIZATION)
def test_each_quantization_has_its_flag(value: str) -> None:
    row = engine.QUANTIZATION[value]
    assert after(argv("gpu", engine={"quantization": value}), "--quantization") == row.flag
    assert row.needs
    assert row.since


@pytest.mark.parametrize(("percent", "fraction"), [(1, "0.01"), (50, "0.5"), (57, "0.57"), (92, "0.92"), (100, "1")])
def test_a_percentage_becomes_the_engines_fraction(percent: int, fraction: str) -> None:
    assert after(argv("gpu", engine={"memoryUtilizationPercent": percent}), "--gpu-memory-utilization") == fraction


def test_a_cpu_engine_is_not_told_a_share_of_gpu_memory() -> None:
    assert "--gpu-memory-utilization" not in argv("cpu-tiny")


def test_without_a_memory_limit_a_cpu_engine_gets_one_gibibyte_of_kv_cache() -> None:
    assert after(argv("cpu-tiny", resources={"memory": None}), "--kv-cache-memory-bytes") == str(2**30)


def test_the_kv_cache_that_is_asked_for_wins_over_the_share() -> None:
    assert after(argv("cpu-tiny", engine={"kvCacheMemory": "64Mi"}), "--kv-cache-memory-bytes") == str(64 * 2**20)


@pytest.mark.parametrize(("resources", "size"), [
    ({"gpu": {"count": 8}}, "8"),
    ({"gpu": {"count": 8}, "parallelism": {"pipeline": 2}}, "4"),
    ({"gpu": {"count": 8}, "parallelism": {"tensor": 2}}, "2"),
])
def test_the_gpus_of_a_pod_share_each_layer_unless_told_otherwise(resources: dict[str, Any], size: str) -> None:
    assert after(argv("gpu", resources=resources), "--tensor-parallel-size") == size


def test_gpus_that_no_pipeline_can_share_evenly_are_refused() -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.resources\.gpu\.count 3 is no multiple of .*pipeline 2: change one"):
        check("gpu", resources={"gpu": {"count": 3}, "parallelism": {"pipeline": 2}})


# Source

@pytest.mark.parametrize(("source", "argument", "name"), [
    ("pvc://models", "/models", "models"),
    ("pvc://models/", "/models", "models"),
    ("pvc://models/a/b/", "/models/a/b", "b"),
    ("pvc://my.claim/DeepSeek-R1", "/models/DeepSeek-R1", "DeepSeek-R1"),
    ("hf://gpt2", "gpt2", "gpt2"),
    ("hf://deepseek-ai/DeepSeek-R1@v1.0", "deepseek-ai/DeepSeek-R1", "DeepSeek-R1"),
])
def test_a_model_is_called_by_the_last_part_of_its_source(source: str, argument: str, name: str) -> None:
    found = engine.parse_source(source)
    assert (found.argument, found.default_name) == (argument, name)


def test_the_revision_of_a_repository_is_read_from_the_source() -> None:
    assert engine.parse_source("hf://a/b@refs/pr/1").revision == "refs/pr/1"
    assert engine.parse_source("hf://a/b").revision is None


@pytest.mark.parametrize("source", ["s3://bucket/prefix", "pvc://models/../secrets", "models", "pvc://"])
def test_a_source_that_cannot_be_served_is_refused(source: str) -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.model\.source"):
        engine.parse_source(source)


# The kubelet

def expanded_by_the_kubelet(text: str, environment: dict[str, str]) -> str:
    """k8s.io/kubernetes/third_party/forked/golang/expansion, rule for rule."""
    def replaced(match: re.Match[str]) -> str:
        token = match.group(0)
        if token == "$$":
            return "$"
        return environment.get(token[2:-1], token)

    return re.sub(r"\$\$|\$\([^)]*\)", replaced, text)


@pytest.mark.parametrize("text", [
    "plain", "$", "$$", "$$$", "$(HOME)", "$$(HOME)", "$$$(HOME)", "$(", "$()", "a$b", "$(HOME)$(HOME)", "50$", "",
])
def test_the_kubelet_hands_on_what_the_user_wrote(text: str) -> None:
    assert expanded_by_the_kubelet(engine.escape(text), {"HOME": "/cache", "": "empty"}) == text


# What may not be said twice

@pytest.mark.parametrize("flag", REFUSED)
def test_every_refused_flag_is_one_of_vllm_0_32(flag: str) -> None:
    assert flag in FLAGS


@pytest.mark.parametrize("flag", [flag for flag in FLAGS if flag not in REFUSED])
def test_every_other_flag_of_vllm_is_the_users(flag: str) -> None:
    check("gpu", engine={"extraArgs": [flag, "value"]})
    check("gpu", engine={"extraArgs": [f"{flag}=value"]})


@pytest.mark.parametrize(("flag", "field"), engine.OWNED_FLAGS.items())
def test_a_flag_that_a_field_sets_is_refused_with_the_field(flag: str, field: str) -> None:
    with pytest.raises(InvalidSpec, match=rf"^spec\.engine\.extraArgs\[0\] '{flag}': .* is set by {re.escape(field)};"):
        check("gpu", engine={"extraArgs": [flag, "value"]})


@pytest.mark.parametrize(("flag", "why"), engine.RESERVED_FLAGS.items())
def test_a_flag_that_would_break_the_probes_is_refused_with_the_reason(flag: str, why: str) -> None:
    with pytest.raises(InvalidSpec, match=rf"{flag} cannot be set: {re.escape(why)}"):
        check("gpu", engine={"extraArgs": ["--seed", "1", flag, "value"]})


@pytest.mark.parametrize("item", [
    "--max-model-len=4096", "--max_model_len", "--max_model-len=4096", "--max-model", "--max-mod=1", "--max_model",
    "--max-model-len.x", "--quant", "-q=awq", "-qawq", "-tp=2", "-t", "-pp=2", "--no-enf", "--no_enforce_eager",
    "--served-model", "--gpu-mem", "--device-mem=0.5", "--tensor", "--api-k=x", "--api_key=x", "--mode",
    "--conf=a.yaml", "--por", "--ssl", "--ud", "-help",
])
def test_a_flag_is_recognised_however_vllm_lets_it_be_written(item: str) -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.engine\.extraArgs\[2\]"):
        check("gpu", engine={"extraArgs": ["--seed", "1", item, "4096"]})


def test_an_abbreviation_is_explained() -> None:
    with pytest.raises(InvalidSpec, match=r"'--max-mod=1': --max-model-len \(which --max-mod stands for\) is set by"):
        check("gpu", engine={"extraArgs": ["--max-mod=1"]})


class Resolver(argparse.ArgumentParser):
    """Argparse over all of vLLM's option strings: it alone knows which abbreviation means which."""

    def __init__(self) -> None:
        super().__init__(add_help=False)
        for flag in FLAGS:
            self.add_argument(flag, dest=flag, nargs="?", const="given", default=None)

    def meaning(self, item: str) -> set[str]:
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                found, _ = self.parse_known_args([item])
        except SystemExit:
            return set()
        return {flag for flag, value in vars(found).items() if value is not None}


def test_no_abbreviation_of_a_refused_flag_passes_that_argparse_would_understand() -> None:
    resolver = Resolver()
    beginnings = {flag[:end] for flag in REFUSED for end in range(2, len(flag) + 1)}
    understood, passed = set(), set()
    for item in (begin + value for begin in beginnings for value in ("", "=1", "1")):
        if resolver.meaning(item) & REFUSED.keys():
            understood.add(item)
            try:
                check("gpu", engine={"extraArgs": [item]})
            except InvalidSpec:
                continue
            passed.add(item)
    assert passed == set()
    assert len(understood) > 200


@pytest.mark.parametrize("arguments", [
    [],
    ["--seed", "-1"],
    ["--long-prefill", "-.5"],
    ["--chat-template", "-"],
    ["--middleware", "team.audit.Middleware"],
    ["--override-generation-config", '{"max_model_len": 1, "note": "--max-model-len"}'],
    ["--speculative-config.model", "draft"],
    ["--chat-template=a template with --dtype in it"],
    ["-dp", "2", "-O3"],
    ["--no-such-flag"],
])
def test_what_contradicts_no_field_goes_to_the_engine(arguments: list[str]) -> None:
    check("gpu", engine={"extraArgs": arguments})
    assert argv("gpu", engine={"extraArgs": arguments})[-len(arguments):] == (arguments or argv("gpu"))


@pytest.mark.parametrize(("arguments", "message"), [
    (["awq"], r"\[0\] 'awq': a value needs its flag before it"),
    (["-1"], r"\[0\] '-1': a value needs its flag before it"),
    (["--seed", "1", "--", "x"], r"\[2\] '--': the engine would take all that follows for names of models"),
    (["--seed 1"], r"'--seed 1': write the flag and its value as two items, or as --flag=value"),
    (["--max-model-len 4096"], r"as two items"),
])
def test_what_no_parser_would_take_is_refused_with_the_right_way(arguments: list[str], message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        check("gpu", engine={"extraArgs": arguments})


# Environment

def environment(case: str, **groups: Any) -> dict[str, Any]:
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in engine.environment(cases.serve(case, groups))}


def test_everything_an_engine_writes_goes_where_it_may_write() -> None:
    paths = [value for value in environment("gpu").values() if value.startswith("/")]
    assert len(paths) >= 8
    assert all(re.match(r"/(cache|tmp)(/|$)", path) for path in paths)


def test_an_engine_with_its_model_in_a_claim_never_asks_the_hub() -> None:
    assert environment("cpu-tiny")["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in environment("gpu")


def test_keys_and_tokens_come_from_their_secrets() -> None:
    found = environment("api-key")
    assert found["VLLM_API_KEY"] == {"secretKeyRef": {"name": "clients", "key": "api-key"}}
    assert found["HF_TOKEN"] == {"secretKeyRef": {"name": "hugging-face", "key": "token"}}


def test_a_users_variable_replaces_ours_and_stands_behind_them_unchanged() -> None:
    variables = engine.environment(cases.serve("all-fields"))
    assert [v["name"] for v in variables].count("HOME") == 1
    assert variables[-4:] == cases.raw("all-fields")["spec"]["engine"]["env"]


@pytest.mark.parametrize(("case", "name", "message"), [
    ("gpu", "VLLM_API_KEY", r"\[0\] VLLM_API_KEY: spec\.access\.apiKeySecretRef says that"),
    ("cpu-tiny", "VLLM_CPU_KVCACHE_SPACE", r"spec\.engine\.kvCacheMemory says that"),
    ("api-key", "HF_TOKEN", r"spec\.model\.tokenSecretRef says that"),
    ("api-key", "HUGGING_FACE_HUB_TOKEN", r"spec\.model\.tokenSecretRef says that"),
    ("api-key", "VLLM_USE_RUST_FRONTEND", r"spec\.access\.apiKeySecretRef on every path"),
])
def test_a_variable_that_contradicts_a_field_is_refused_with_the_field(case: str, name: str, message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        check(case, engine={"env": [{"name": name, "value": "1"}]})


@pytest.mark.parametrize("name", ["HF_TOKEN", "VLLM_USE_RUST_FRONTEND", "HF_HUB_OFFLINE", "PYTHONPATH"])
def test_a_variable_that_contradicts_no_field_is_the_users(name: str) -> None:
    check("gpu", engine={"env": [{"name": name, "value": "1"}]})


# Arguments as they are read

@pytest.mark.parametrize(("arguments", "flag", "value"), [
    ([], "--a", None), (["--a"], "--a", ""), (["--a", "1"], "--a", "1"), (["--a=1=2"], "--a", "1=2"),
    (["--a", "--b"], "--a", ""), (["--a", "-1"], "--a", "-1"), (["--a-b", "1", "--a_b=2"], "--a-b", "2"),
    (["--long", "1"], "--longer", "1"), (["-tp", "2"], "--tensor-parallel-size", "2"),
    (["-O3"], "--optimization-level", "3"),
    (["--a.b.c", "1"], "--a", '{"b": {"c": "1"}}'), (["--a", '{"b": {"d": 2}}', "--a.b.c=1"], "--a",
                                                     '{"b": {"d": 2, "c": "1"}}'),
    (["--a.b+", "1"], "--a", '{"b": "1"}'), (["-cc.mode", "3"], "--compilation-config", '{"mode": "3"}'),
])
def test_a_value_is_read_as_vllms_parser_reads_it(arguments: list[str], flag: str, value: str | None) -> None:
    assert engine.value_of(arguments, flag) == value


@pytest.mark.parametrize(("env", "offline"), [
    ([], False),
    ([{"name": "HF_HUB_OFFLINE", "value": "1"}], True),
    ([{"name": "HF_HUB_OFFLINE", "value": "true"}], True),
    ([{"name": "HF_HUB_OFFLINE", "value": "0"}], False),
    ([{"name": "HF_HUB_OFFLINE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}], False),
])
def test_the_user_may_forbid_to_ask_the_hub(env: list[dict[str, Any]], offline: bool) -> None:
    metadata = {"name": "a", "namespace": "b", "uid": "c"}
    serve = api.parse({"metadata": metadata, "spec": {"model": {"source": "hf://a/b"}, "engine": {"env": env}}})
    assert engine.is_offline(serve) is offline
