"""`deepseekserve plan`: files in, verdicts and an exit code out."""

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deepseekserve import __main__ as entrance
from deepseekserve import api, plan
from deepseekserve.api import Spec
from deepseekserve.plan import documents
from tests.unit.reader.files import safetensors
from tests.unit.sizing.models import gemma3, llama

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
# The GPU that the head of an example names, where the resource itself names none.
ON = {"r1-distill-qwen-1.5b": "RTX-3070", "r1-distill-qwen-14b": "A100-40GB", "deepseek-v2-lite": "A100-40GB",
      "r1-distill-qwen-32b": "A100-80GB"}
GUIDE: Mapping[str, Any] = {"quantization": "AWQ", "maxModelLen": 32768}
KEYS = {"file", "name", "namespace", "fits", "message", "refusals", "fixes", "remedies", "warnings", "missing",
        "model", "gpu", "sizing", "arguments"}


def resource(source: str = "hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "deepseekserve.io/v1alpha1", "kind": "DeepSeekServe", "metadata": {"name": "r1"},
            "spec": {"model": {"source": source}, **spec}}


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(*documents: object, name: str = "r1.yaml") -> str:
        path = tmp_path / name
        path.write_text(yaml.safe_dump_all(documents))
        return str(path)

    return write


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    def write(**files: object) -> str:
        path = tmp_path / "model"
        path.mkdir(exist_ok=True)
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (path / f"{name}.json").write_text(text)
        return str(path)

    return write


def planned(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The JSON of one run, whose exit code it says itself."""
    code = plan.main([*arguments, "-o", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["exitCode"] == code
    assert found["version"] == 1
    return found


def one(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    (found,) = planned(capsys, *arguments)["plans"]
    return dict(found)


# Verdicts

def test_the_guides_resource_is_refused_and_its_fixes_work(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    refused = planned(capsys, "-f", file(resource(engine=GUIDE)), "--gpu", "Tesla-T4")
    assert refused["exitCode"] == 1
    (found,) = refused["plans"]
    assert set(found) == KEYS
    assert [refusal["reason"] for refusal in found["refusals"]] == ["QuantizationMissingConfig"]
    engine = {**GUIDE, **{fix["field"].removeprefix("spec.engine."): fix["value"] for fix in found["fixes"]}}
    assert engine == {"quantization": "Auto", "maxModelLen": 32768, "dtype": "Float16"}
    admitted = planned(capsys, "-f", file(resource(engine=engine)), "--gpu", "Tesla-T4")
    assert (admitted["exitCode"], admitted["plans"][0]["fits"]) == (0, "True")


def test_json_has_every_term_and_the_arguments(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = one(capsys, "-f", file(resource(engine={"maxModelLen": 4096})), "--gpu", "A10G")
    sizing = found["sizing"]
    assert sizing["kvCacheBytesPerToken"] == 28672
    assert sizing["kvCacheBytesAvailable"] == sizing["budgetBytes"] - sizing["weightsBytes"] - sizing["overheadBytes"]
    assert sizing["neededBytes"] == (
        sizing["weightsBytes"] + sizing["overheadBytes"] + sizing["kvCacheBytesPerRequest"])
    assert found["gpu"] == {"product": "NVIDIA-A10G", "memoryBytes": 22587 << 20, "computeCapability": "8.6"}
    assert found["arguments"][:3] == ["vllm", "serve", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"]
    assert found["model"]["weightFilesBytes"] == 3554214621


def test_every_key_of_the_json_is_documented(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = planned(capsys, "-f", file(resource(engine=GUIDE)), "--gpu", "T4")
    (one_plan,) = found["plans"]
    keys = {*found, *one_plan, *one_plan["model"], *one_plan["gpu"], *one_plan["sizing"], *one_plan["refusals"][0],
            *one_plan["fixes"][0], *one_plan["remedies"][0], "error"}
    page = (ROOT / "docs" / "plan.md").read_text().partition("## JSON")[2]
    assert {key for key in keys if key not in page} == set()


def test_the_resources_own_gpu_counts_unless_another_is_named(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(resource(scheduling={"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L4"}}))
    assert one(capsys, "-f", path)["gpu"]["product"] == "NVIDIA-L4"
    assert one(capsys, "-f", path, "--gpu", "H200")["gpu"]["product"] == "NVIDIA-H200"
    assert one(capsys, "-f", path, "--gpu", "22Gi")["gpu"] == {"product": "22Gi", "memoryBytes": 22 << 30}


@pytest.mark.parametrize("name", ["MI300X", "-5Gi", "0", "4090", "1e400"])
def test_a_gpu_that_nobody_knows_is_named(name: str, file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = planned(capsys, "-f", file(resource()), f"--gpu={name}")
    assert found["exitCode"] == 3
    assert found["plans"][0]["missing"] == [f"the GPU {name} is not in the catalogue, and its memory is not known"]
    assert "budgetBytes" not in found["plans"][0]["sizing"]


def test_kv_tokens_follow_from_a_cache_of_fixed_size_without_any_gpu(
    file: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    found = one(capsys, "-f", file(resource(engine={"kvCacheMemory": "28672Ki", "maxModelLen": 1024})))
    assert found["sizing"]["kvCacheTokens"] == 1024


# The model's folder

def test_a_folder_goes_before_the_catalogue(
    file: Any, folder: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    path = folder(config=llama())
    found = one(capsys, "-f", file(resource()), "--gpu", "T4", "--model-config", path, "--weights-bytes", "24000000")
    assert found["model"] == {
        "source": "hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "config": path, "weightFilesBytes": 24000000,
        "quantization": "None", "architecture": "LlamaForCausalLM", "contextTokens": 4096}
    assert "the weight files are 24,000,000 bytes" in found["warnings"][0]


def test_the_size_of_the_files_is_that_of_real_ones_or_in_the_index(
    file: Any, folder: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    path, asked = folder(config=gemma3()), file(resource("pvc://models/gemma"))
    assert "weightFilesBytes" not in one(capsys, "-f", asked, "--model-config", path)["model"]
    small = safetensors({"a": ("BF16", [4])})
    (Path(path) / "model-1.safetensors").write_bytes(small)
    assert one(capsys, "-f", asked, "--model-config", path)["model"]["weightFilesBytes"] == len(small)
    assert one(
        capsys, "-f", asked, "--model-config", path, "--weights-bytes", "5")["model"]["weightFilesBytes"] == 5
    index = Path(path) / "model.safetensors.index.json"
    index.write_text('{"metadata": {"total_size": 8600158944}, "weight_map": {"a": "model-2.safetensors"}}')
    found = one(capsys, "-f", asked, "--model-config", path)
    assert found["model"]["weightFilesBytes"] == 8600158944
    assert found["warnings"] == []
    index.write_text('{"metadata": 1}')
    assert "weightFilesBytes" not in one(capsys, "-f", asked, "--model-config", path)["model"]


def test_a_damaged_weight_file_is_bad_input_and_is_named(
    file: Any, folder: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    path = folder(config=llama())
    (Path(path) / "model.safetensors").write_bytes(b"12345")
    found = planned(capsys, "-f", file(resource()), "--model-config", path)
    assert found["exitCode"] == 2
    assert found["plans"][0]["error"] == f"{path}: model.safetensors is damaged: 5 bytes are no safetensors file"


@pytest.mark.parametrize(("name", "content", "method"), [
    ("quant_config", {"w_bit": 4, "q_group_size": 128, "zero_point": True}, "awq"),
    ("quantize_config", {"bits": 4, "group_size": 128}, "gptq"),
    ("hf_quant_config", {"quantization": {"quant_algo": "FP8"}}, "modelopt"),
])
def test_older_checkpoints_say_in_a_file_of_its_own_how_they_are_quantized(
    name: str, content: object, method: str, file: Any, folder: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    path = folder(config=llama(), **{name: content})
    found = one(capsys, "-f", file(resource("pvc://models/own")), "--model-config", path)
    assert found["model"]["quantization"] == method


def test_what_the_tokenizer_allows_limits_no_context_as_in_the_engine(
    file: Any, folder: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    path = folder(config=llama(), tokenizer_config={"model_max_length": 2048})
    found = one(capsys, "-f", file(resource("pvc://models/own")), "--model-config", path)
    assert found["model"]["contextTokens"] == 4096


@pytest.mark.parametrize("content", ["{", "[]", "\ud800"])
def test_a_damaged_config_is_bad_input_and_names_the_file(
    content: str, file: Any, folder: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    path = folder(config="{}")
    (Path(path) / "config.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    found = planned(capsys, "-f", file(resource()), "--model-config", path)
    assert found["exitCode"] == 2
    assert "config.json" in found["plans"][0]["error"]


def test_a_config_that_lacks_a_field_or_a_formula_is_unknown(
    file: Any, folder: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    for raw in (llama(hidden_size=None), llama(architectures=["New"])):
        found = planned(capsys, "-f", file(resource()), "--model-config", folder(config=raw), "--gpu", "T4")
        assert found["exitCode"] == 3
        assert found["plans"][0]["sizing"] == {}


HOSTILE = "A\n---\nkind: Namespace\nmetadata: {name: pwned}\n#"


def test_a_models_author_writes_no_line_of_ours(
    file: Any, folder: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    path = folder(config=llama(architectures=[HOSTILE], quantization_config={"quant_method": HOSTILE}))
    for output in ("yaml", "text"):
        plan.main(["-f", file(resource()), "--model-config", path, "-o", output])
        assert "\nkind: Namespace" not in capsys.readouterr().out


@pytest.mark.parametrize("described", [
    {"quant_method": "compressed-tensors", "config_groups": {"a": {"weights": {
        "num_bits": 8, "strategy": "block", "block_structure": [0, "b"]}}}},
    {"quant_method": "fp8", "ignored_layers": ["re:(.+)+#"]},
])
def test_a_config_that_means_harm_ends_in_a_verdict(
    described: object, file: Any, folder: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    path = folder(config=llama(quantization_config=described))
    found = planned(capsys, "-f", file(resource("pvc://models/own")), "--model-config", path, "--gpu", "H100")
    assert found["exitCode"] in (0, 3)


def test_a_folder_that_cannot_be_read_is_told_in_every_form(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(["-f", file(resource()), "--model-config", "/nowhere", "-o", "yaml"]) == 2
    assert "/nowhere: the folder cannot be read: No such file or directory" in capsys.readouterr().out


def test_with_warn_a_refusal_is_told_and_ends_as_what_starts(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(resource(engine=GUIDE))
    found = planned(capsys, "-f", path, "--gpu", "T4", "--admission", "Warn")
    assert (found["exitCode"], found["admission"], found["plans"][0]["fits"]) == (0, "Warn", "False")
    assert plan.main(["-f", path, "--gpu", "T4", "--admission", "Warn"]) == 0
    assert ": r1: REFUSED, and started all the same" in capsys.readouterr().out
    assert planned(capsys, "-f", path, "--gpu", "T4", "--admission", "Enforce")["exitCode"] == 1
    assert plan.main(["-f", path, "nowhere.yaml", "--gpu", "T4", "--admission", "Warn"]) == 2


# Files

def test_documents_of_other_kinds_are_passed_over_and_lists_are_looked_into(
    file: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    listed = {"kind": "List", "items": [resource(), {"kind": "Secret"}, "none"]}
    found = planned(capsys, "-f", file({"kind": "ConfigMap"}, None, [1], resource(), listed), "--gpu", "H100")
    assert [one["name"] for one in found["plans"]] == ["r1", "r1"]


def test_patterns_and_several_files_are_planned_in_order_and_the_worst_decides(
    file: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    file({"kind": "Service"}, name="aa.yaml")
    fitting, refused = file(resource(), name="a.yaml"), file(resource(engine=GUIDE), name="b.yaml")
    unknown = file(resource("hf://some/model"), name="c.yaml")
    assert planned(capsys, "-f", fitting, unknown, "--gpu", "H100")["exitCode"] == 3
    assert planned(capsys, "-f", fitting, "-f", refused, unknown, "--gpu", "H100")["exitCode"] == 1
    found = planned(capsys, "-f", str(tmp_path / "*.yaml"), str(tmp_path / "none.yaml"), "--gpu", "H100")
    assert found["exitCode"] == 2
    assert [Path(one["file"]).name for one in found["plans"]] == ["a.yaml", "b.yaml", "c.yaml", "none.yaml"]


@pytest.mark.parametrize(("document", "says"), [
    ({"kind": "ConfigMap"}, "no DeepSeekServe in it"),
    ({**resource(), "apiVersion": "v1"}, "apiVersion is 'v1'"),
    ({**resource(), "metadata": None}, "metadata.name is missing"),
    (resource(engine={"maxModelLenn": 5}), "spec.engine.maxModelLenn is no field"),
    (resource(extra=1), "spec.extra is no field"),
    (resource(engine={"maxModelLen": "32k"}), "spec.engine.maxModelLen '32k'"),
    (resource(engine={"extraArgs": ["--model=x"]}), "--model is set by spec.model.source"),
    (resource(resources={"gpu": {"count": 3}, "parallelism": {"pipeline": 2}}), "no multiple"),
    ({**resource(), "spec": "none"}, "spec"),
])
def test_a_resource_that_cannot_be_is_bad_input_and_says_why(
    document: object, says: str, file: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    found = planned(capsys, "-f", file(document))
    assert found["exitCode"] == 2
    assert says in found["plans"][0]["error"]


def test_text_that_is_no_yaml_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("a: [")
    assert planned(capsys, "-f", str(path))["exitCode"] == 2
    assert plan.main(["-f", str(path), "-o", "yaml"]) == 2
    assert "while parsing" in capsys.readouterr().out


@pytest.mark.parametrize(("text", "says"), [
    (f"a: {5000 * '1'}", "Exceeds the limit"),
    ("a: &a [x]\n" + "".join(f"b{n}: &b{n} [*{'a' if n == 0 else f'b{n - 1}'}, *{'a' if n == 0 else f'b{n - 1}'}]\n"
                            for n in range(24)), "aliases"),
    ("a: &a [*a]", "aliases"),
])
def test_text_that_means_harm_is_bad_input(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "harm.yaml"
    path.write_text(text)
    (found,) = planned(capsys, "-f", str(path))["plans"]
    assert says in found["error"]


def test_a_time_need_not_stand_in_quotes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r1.yaml"
    path.write_text(yaml.safe_dump(resource()) + "  restartedAt: 2026-11-24T12:00:00Z\n")
    assert "error" not in one(capsys, "-f", str(path))


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(yaml.safe_dump(resource())))
    assert one(capsys, "-f", "-", "--gpu", "H100")["file"] == "standard input"


# Pages

def test_the_page_shows_verdict_terms_bar_and_what_to_do(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(["-f", file(resource(engine=GUIDE)), "--gpu", "T4"]) == 1
    page = capsys.readouterr().out
    for part in (": r1: REFUSED", "AWQ is asked for", "weights         3.35 GiB", "there are      13.10 GiB", "[####",
                 "spec.engine.quantization: Auto", "Tesla-T4, 14.56 GiB", "vllm serve deepseek-ai/"):
        assert part in page


def test_the_page_says_what_belongs_together_and_what_are_alternatives(
    file: Any, capsys: pytest.CaptureFixture[str],
) -> None:
    asked = resource("hf://deepseek-ai/DeepSeek-R1-Distill-Llama-8B", engine={"quantization": "AWQ",
                                                                             "maxModelLen": 20000})
    assert plan.main(["-f", file(asked), "--gpu", "T4"]) == 1
    page = capsys.readouterr().out.splitlines()
    said = [line.split("   (")[0].split() for line in page if line.startswith(("  to do:", "  or:", "    and:"))]
    assert said[:3] == [
        ["to", "do:", "spec.engine.quantization:", "Auto"],
        ["and:", "spec.model.source:", "hf://RedHatAI/DeepSeek-R1-Distill-Llama-8B-FP8-dynamic"],
        ["and:", "spec.engine.dtype:", "Float16"]]
    assert said[-2:] == [
        ["or:", "spec.engine.quantization:", "Auto"],
        ["and:", "spec.scheduling.nodeSelector:", '{"nvidia.com/gpu.product":', '"NVIDIA-A10"}']]


def test_a_page_without_a_sum_says_so(file: Any, folder: Any, capsys: pytest.CaptureFixture[str]) -> None:
    asked = file(resource("hf://some/model"), resource(bad=1))
    assert plan.main(["-f", asked, "--explain"]) == 2
    page = capsys.readouterr().out
    assert "no sum: the model's config.json is not known" in page
    assert "BAD INPUT" in page
    assert page.count("config.json is not known") == 3


@pytest.mark.parametrize(("source", "spec", "options", "parts"), [
    ("hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", {"engine": {"maxModelLen": 4096}}, ["--gpu", "A10G"],
     ["23,684,186,112 x 90 % =", "151,936 x 1,536 x 2", "256 requests x 151,936 x 4 x 4", "(2 x 256 x 2) in each of 28",
      "embedding, and as much for the head"]),
    ("hf://Qwen/Qwen2.5-1.5B-Instruct", {"engine": {"enforceEager": True, "kvCacheMemory": "1Gi"}}, ["--gpu", "A10G"],
     ["the KV cache has a size of its own", "none: enforceEager = 0", "which is the head too"]),
    ("hf://deepseek-ai/DeepSeek-V3.2", {"engine": {"maxModelLen": 4096}, "resources": {"gpu": {"count": 8}}}, [],
     ["budget       not known", "(1 x 576 x 2 + 132)", "quantized by fp8"]),
    ("hf://deepseek-ai/DeepSeek-R1-Distill-Llama-8B", {"engine": {"maxModelLen": 4096},
      "resources": {"gpu": {"count": 3}, "parallelism": {"pipeline": 3}}}, ["--gpu", "A10G"],
     ["weights      embedding: 128,256 x 4,096 x 2", "stage 1 of 3 has most: layers 1 to 11", "o_proj: 11 x 4,096 x",
      "45,056 of a token: (8 x 256 x 2) in each of 11 layers of the largest stage"]),
    ("hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", {"engine": {"maxModelLen": 4096},
      "resources": {"gpu": {"count": 2}, "parallelism": {"pipeline": 2}}}, ["--gpu", "A10G"],
     ["weights      head: 152,064 x", "stage 2 of 2 has most: layers 15 to 28"]),
    ("hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", {"engine": {"device": "CPU"}, "resources": {"memory": "64Gi"}},
     [], ["KV cache"]),
    ("hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
     {"engine": {"maxModelLen": 4096, "image": "vllm/vllm-openai:v0.16.0", "extraArgs": ["--runner", "pooling"]}},
     ["--gpu", "A10G"], ["256 requests x 151,936 x 4 x 7", "beside the budget in this release = 0",
                         "embedding, and no head for a pooling model"]),
])
def test_explained_formulas_have_their_numbers(
    source: str, spec: dict[str, Any], options: list[str], parts: list[str], file: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan.main(["-f", file(resource(source, **spec)), "--explain", *options])
    page = capsys.readouterr().out
    assert [part for part in parts if part not in page] == []
    assert ("activations  a full batch" in page) == ("device" not in spec["engine"])


def test_manifests_are_what_the_operator_would_write(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(["-f", file(resource()), "--gpu", "H100", "-o", "yaml"]) == 0
    text = capsys.readouterr().out
    kinds = [document["kind"] for document in yaml.safe_load_all(text)]
    assert kinds == [
        "ControllerRevision", "ServiceAccount", "ConfigMap", "Service", "PodDisruptionBudget", "Deployment"]
    assert ": r1: fits True: needs" in text.splitlines()[0]


@pytest.mark.parametrize("path", [e for e in EXAMPLES if e.stem != "cpu-tiny"], ids=lambda path: path.stem)
def test_every_example_fits_the_gpu_that_its_head_names(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = documents.read([str(path)])
    assert isinstance(found.serve, api.DeepSeekServe)
    named = [] if "gpu.product" in path.read_text() else ["--gpu", ON.get(path.stem, "L4")]
    plan_ = one(capsys, "-f", str(path), *named)
    assert (plan_["fits"], plan_["warnings"]) == ("True", [])


# The command

def test_options_that_cannot_be_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["-f", "x", "--weights-bytes", "many"], ["-f", "x", "--weights-bytes", "0"],
                      ["-f", "x", "--weights-bytes", 5000 * "1"]):
        with pytest.raises(SystemExit) as end:
            plan.main(arguments)
        assert end.value.code == 2
    assert "is not a whole number of bytes" in capsys.readouterr().err


def test_the_entrance_hands_its_own_arguments_on(
    file: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["deepseekserve", "plan", "-f", file(resource()), "--gpu", "H100"])
    assert entrance.main() == 0
    assert ": r1: fits" in capsys.readouterr().out


def test_a_plan_imports_no_cluster(file: Any) -> None:
    program = ("import sys; from deepseekserve.__main__ import main; sys.argv = ['x', 'plan', *sys.argv[1:]]; "
               "code = main(); print(sorted({'kopf', 'aiohttp', 'kubernetes_asyncio'} & set(sys.modules))); exit(code)")
    done = subprocess.run([sys.executable, "-c", program, "-f", file(resource()), "--gpu", "H100", "-o", "json"],
                          capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_every_field_of_the_resource_is_known(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    every: dict[str, Any] = {str(field.alias): {} for field in Spec.model_fields.values()}
    every = {**every, "replicas": 1, "suspended": False, "restartedAt": "2026-11-24T12:00:00Z"}
    del every["model"]
    assert "error" not in one(capsys, "-f", file(resource(**every)))
