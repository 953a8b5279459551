"""The reader against real folders: good ones, halves of ones, and those that mean harm."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deepseekserve import facts, sizing
from deepseekserve.reader import folder as reading
from deepseekserve.reader.summary import Outcome, Summary, Weights
from tests.unit.reader.files import INDEX, folder, framed, safetensors
from tests.unit.sizing.models import llama

SMALL = safetensors({"a": ("BF16", [4, 8]), "b": ("F32", [2]), "c": ("BF16", [1])})


def read(path: Path) -> Summary:
    return reading.read(str(path))


def model(path: Path, **files: object) -> Path:
    return folder(path, config__json=llama(), **files)


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "deepseekserve.reader", *arguments], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False)


# What is there

def test_a_folder_is_read_without_its_weights(tmp_path: Path) -> None:
    found = read(model(
        tmp_path, model__safetensors=SMALL, generation_config__json={"temperature": 0.6, "top_p": 0.95, "eos": [1]},
        tokenizer_config__json={"chat_template": "{{ messages }}"}))
    assert (found.outcome, found.message, found.notes) == (Outcome.READ, "", ())
    assert found.weights == Weights("safetensors", 1, len(SMALL), {"BF16": 66, "F32": 8})
    assert found.generation == {"temperature": 0.6, "top_p": 0.95}
    assert (found.has_chat_template, found.has_params) == (True, False)
    assert found.config is not None
    assert sizing.read_shape(found.config) == sizing.read_shape(llama())


def test_shards_are_those_that_the_index_names(tmp_path: Path) -> None:
    found = read(model(
        tmp_path, a__safetensors=SMALL, b__safetensors=SMALL, consolidated__safetensors=SMALL, params__json={},
        **{INDEX: {"weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": "a.safetensors"}}}))
    assert found.weights == Weights("safetensors", 2, 2 * len(SMALL), {"BF16": 132, "F32": 16})
    assert found.has_params


def test_mistrals_second_copy_counts_only_where_it_is_the_only_one(tmp_path: Path) -> None:
    path = model(tmp_path, consolidated__safetensors=SMALL)
    assert read(path).weights == Weights("safetensors", 1, len(SMALL), {"BF16": 66, "F32": 8})
    folder(path, model__safetensors=SMALL)
    assert read(path).weights == Weights("safetensors", 1, len(SMALL), {"BF16": 66, "F32": 8})


@pytest.mark.parametrize(("names", "form", "count"), [
    (("pytorch_model-1__bin", "pytorch_model-2__bin", "training_args__bin", "optimizer__pt"), "bin", 2),
    (("model__pt", "scheduler__pt", "q4__gguf"), "pt", 1), (("q4__gguf",), "gguf", 1),
])
def test_other_formats_are_known_by_their_size(tmp_path: Path, names: tuple[str, ...], form: str, count: int) -> None:
    found = read(model(tmp_path, **dict.fromkeys(names, b"1234567890")))
    assert (found.outcome, found.weights) == (Outcome.READ, Weights(form, count, 10 * count))


def test_a_config_alone_is_a_model_without_weights(tmp_path: Path) -> None:
    found = read(model(tmp_path, chat_template__jinja=b"{{ messages }}"))
    assert (found.outcome, found.weights, found.has_chat_template) == (Outcome.READ, None, True)


@pytest.mark.parametrize(("name", "content", "expected"), [
    ("quant_config__json", {"w_bit": 4, "q_group_size": 128}, {"quant_method": "awq", "w_bit": 4, "q_group_size": 128}),
    ("quantize_config__json", {"bits": 4}, {"quant_method": "gptq", "bits": 4}),
    ("hf_quant_config__json", {"quantization": {"quant_algo": "NVFP4", "exclude_modules": ["lm_head"]}},
     {"quant_method": "modelopt", "quant_algo": "NVFP4", "exclude_modules": ["lm_head"]}),
])
def test_the_quantization_may_be_told_in_a_file_of_its_own(
    tmp_path: Path, name: str, content: object, expected: object,
) -> None:
    config = read(model(tmp_path, **{name: content})).config
    assert config is not None
    assert config["quantization_config"] == expected
    own = folder(tmp_path, config__json=llama(quantization_config={"quant_method": "fp8"}))
    config = read(own).config
    assert config is not None
    assert config["quantization_config"] == {"quant_method": "fp8"}


def test_links_are_followed_as_the_hubs_cache_has_them(tmp_path: Path) -> None:
    blobs = folder(tmp_path / "models--a--b" / "blobs", config=llama(), weights=SMALL)
    revision = tmp_path / "models--a--b" / "snapshots" / "0123"
    revision.mkdir(parents=True)
    for name, blob in (("config.json", "config"), ("model.safetensors", "weights")):
        (revision / name).symlink_to(Path("../../blobs") / blob)
    found = read(revision)
    assert (found.outcome, found.weights) == (
        Outcome.READ, Weights("safetensors", 1, len(SMALL), {"BF16": 66, "F32": 8}))
    whole = read(tmp_path / "models--a--b")
    assert (whole.outcome, whole.message) == (Outcome.NO_MODEL, "no config.json, but one in snapshots/0123")
    (blobs / "weights").unlink()
    assert read(revision).weights is None


def test_the_key_changes_with_a_files_name_size_and_time(tmp_path: Path) -> None:
    path = model(tmp_path, model__safetensors=SMALL)
    keys = [read(path).key]
    os.utime(path / "model.safetensors", (1, 1))
    keys.append(read(path).key)
    (path / "model.safetensors").rename(path / "other.safetensors")
    keys.append(read(path).key)
    with (path / "config.json").open("ab") as file:
        file.write(b"\n")
    keys.append(read(path).key)
    assert len({*keys, ""}) == 5
    (path / ".lock").touch()
    assert read(path).key == keys[-1]


# What is not

def test_folders_without_a_model_say_what_is_there(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert read(empty) == Summary(Outcome.NO_MODEL, "there are no files", key=read(empty).key)
    found = read(folder(tmp_path / "gguf", q4__gguf=b"12", params__json={}))
    assert (found.outcome, found.message) == (Outcome.NO_MODEL, "no config.json, but params.json, q4.gguf")
    assert found.weights == Weights("gguf", 1, 2)
    many = read(folder(tmp_path / "many", **{f"f{number}__txt": b"" for number in range(9)}))
    assert many.message == "no config.json, but f0.txt, f1.txt, f2.txt, f3.txt, f4.txt and 4 more"
    model(tmp_path / "parent" / "child")
    assert read(tmp_path / "parent").message == "no config.json, but one in child"


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    path = model(tmp_path)
    absent, file = read(path / "nowhere"), read(path / "config.json")
    assert (absent.outcome, absent.message) == (
        Outcome.NO_FOLDER, "the folder cannot be read: No such file or directory")
    assert (file.outcome, file.message) == (Outcome.NO_FOLDER, "the folder cannot be read: Not a directory")


@pytest.mark.parametrize(("content", "where"), [
    (b'{"a": 1,\n "b" 2}', "line 2 column 6: Expecting ':' delimiter"), (b"", "line 1 column 1: Expecting value"),
    (b"[]", "it is no map of fields"), (b'{"a": "\xff"}', "byte 7 is no text"),
    (b'{"a": ' + b"9" * 5000 + b"}", "it has a number of thousands of digits"),
    (b"[" * 200_000, "it is nested too deeply"), (b'{"a":' * 30 + b"{}" + b"}" * 30, "it is nested too deeply"),
])
def test_a_damaged_config_says_where(tmp_path: Path, content: bytes, where: str) -> None:
    found = read(folder(tmp_path, config__json=content))
    assert (found.outcome, found.message) == (Outcome.DAMAGED, f"config.json is damaged: {where}")


@pytest.mark.parametrize(("content", "outcome", "message"), [
    (b"1234567", Outcome.DAMAGED, "model.safetensors is damaged: 7 bytes are no safetensors file"),
    (b"<!DOCTYPE html>", Outcome.DAMAGED, "model.safetensors is damaged: its header would have "),
    (b"version https://git-lfs", Outcome.DAMAGED, "model.safetensors is damaged: its header would have "),
    ((90_000_000).to_bytes(8, "little"), Outcome.TOO_LARGE, "model.safetensors has a header of 90000000 bytes"),
    ((50).to_bytes(8, "little") + b"{}", Outcome.DAMAGED, "model.safetensors is cut short"),
    (framed(b"{]"), Outcome.DAMAGED, "the header of model.safetensors is damaged: line 1 column 2"),
    (framed(b"[]"), Outcome.DAMAGED, "model.safetensors is damaged: its header is no map"),
    (framed(b'{"a": 1}'), Outcome.DAMAGED, "model.safetensors is damaged: a tensor"),
    (framed(b'{"a": {"dtype": "x y", "data_offsets": [0, 1]}}', b"1"), Outcome.DAMAGED,
     "model.safetensors is damaged: "),
    (framed(b'{"a": {"dtype": "F32", "data_offsets": [0, true]}}'), Outcome.DAMAGED, "model.safetensors is damaged: "),
    (framed(b'{"a": {"dtype": "F32", "data_offsets": [4, 0]}}'), Outcome.DAMAGED, "model.safetensors is damaged: "),
    (SMALL[:-1], Outcome.DAMAGED, "model.safetensors is cut short: 73 of 74 bytes of weights"),
    (SMALL + b"1", Outcome.DAMAGED, "model.safetensors is longer than its header says: 75 of 74 bytes of weights"),
])
def test_a_damaged_header_names_its_file_and_leaves_the_config(
    tmp_path: Path, content: bytes, outcome: Outcome, message: str,
) -> None:
    found = read(model(tmp_path, model__safetensors=content))
    assert found.outcome is outcome
    assert found.message.startswith(message)
    assert found.config is not None
    assert found.weights == Weights("safetensors", 1, len(content))


def test_shards_that_are_missing_are_counted_and_one_is_named(tmp_path: Path) -> None:
    index = {"metadata": {"total_size": 148}, "weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
    path = model(tmp_path, a__safetensors=SMALL, **{INDEX: index})
    (path / "b.safetensors").symlink_to("../blobs/nothing")
    found = read(path)
    assert (found.outcome, found.weights) == (Outcome.MISSING_FILES, Weights("safetensors", 2, 148))
    assert found.message == f"{INDEX} names 1 of 2 files, such as b.safetensors, that are not there"


@pytest.mark.parametrize(("index", "size"), [
    ({"metadata": {"total_size": 5.0}}, 5), ({"metadata": 1}, None), ({"weight_map": []}, None),
])
def test_an_index_without_files_still_says_how_large_they_are(tmp_path: Path, index: object, size: int | None) -> None:
    found = read(model(tmp_path, a__safetensors=SMALL, **{INDEX: index}))
    assert (found.outcome, found.message) == (Outcome.MISSING_FILES, f"{INDEX} names no files")
    assert found.weights == (Weights("safetensors", 0, size) if size else None)


def test_an_index_that_names_no_names_misses_files(tmp_path: Path) -> None:
    found = read(model(tmp_path, a__safetensors=SMALL, **{INDEX: {"weight_map": {"x": [[1]]}}}))
    assert found.outcome is Outcome.MISSING_FILES


def test_a_damaged_index_is_damage(tmp_path: Path) -> None:
    found = read(model(tmp_path, **{INDEX: b"{"}))
    assert found.outcome is Outcome.DAMAGED
    assert found.message.startswith(f"{INDEX} is damaged: line 1")


def test_damage_that_sizing_does_well_without_is_a_note(tmp_path: Path) -> None:
    found = read(model(tmp_path, generation_config__json=b"{", tokenizer_config__json={"chat_template": None}))
    assert (found.outcome, found.has_chat_template) == (Outcome.READ, False)
    assert [note.partition(":")[0] for note in found.notes] == ["generation_config.json is damaged"]


# What means harm

def test_a_loop_of_links_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").symlink_to("config.json")
    (tmp_path / "loop").symlink_to("loop")
    found = read(tmp_path)
    assert (found.outcome, found.message) == (Outcome.UNREADABLE, "config.json cannot be read: it is a link to itself")
    assert read(tmp_path / "loop").outcome is Outcome.UNREADABLE


def test_a_link_to_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").symlink_to("nothing")
    found = read(tmp_path)
    assert (found.outcome, found.message) == (
        Outcome.MISSING_FILES, "config.json cannot be read: it is a link to nothing")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer_config.json", INDEX])
def test_a_pipe_or_a_folder_in_a_files_place_hangs_nothing(tmp_path: Path, name: str) -> None:
    path = model(tmp_path)
    (path / name).unlink(missing_ok=True)
    os.mkfifo(path / name)
    piped = read(path)
    (path / name).unlink()
    (path / name).mkdir()
    for found in (piped, read(path)):
        told = [found.message, *found.notes]
        assert name == "model.safetensors" or f"{name} is no file" in told


def test_a_device_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "config.json").symlink_to("/dev/zero")
    assert read(tmp_path).message == "config.json is no file"


@pytest.mark.parametrize("name", ["config.json", "hf_quant_config.json", INDEX])
def test_a_gigantic_file_is_not_read(tmp_path: Path, name: str) -> None:
    path = model(tmp_path)
    with (path / name).open("wb") as file:
        file.truncate(1 << 30)
    found = read(path)
    assert (found.outcome, found.message) == (
        Outcome.TOO_LARGE, f"{name} has 1073741824 bytes: that is none of a model")


def test_a_folder_of_countless_files_is_no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ENTRIES", 3)
    found = read(model(tmp_path, a=b"", b=b"", c=b""))
    assert (found.outcome, found.message) == (Outcome.TOO_LARGE, "more than 3 files are no model's folder")


def test_countless_snapshots_are_not_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ENTRIES", 3)
    for number in range(4):
        (tmp_path / "snapshots" / str(number)).mkdir(parents=True)
    assert read(tmp_path).message == "no config.json, but snapshots"


def test_an_error_while_reading_is_told(tmp_path: Path) -> None:
    path = model(tmp_path)
    (path / "model.safetensors").symlink_to("/proc/self/mem")          # whose beginning nothing is mapped to
    found = read(path)
    assert (found.outcome, found.message) == (
        Outcome.UNREADABLE, "model.safetensors cannot be read: Input/output error")


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed, and only root can become one")
def test_what_is_not_allowed_is_told(tmp_path: Path) -> None:
    path = model(tmp_path / "model", model__safetensors=SMALL)
    (path / "model.safetensors").chmod(0o600)

    def as_nobody() -> dict[str, Any]:
        script = "import os, sys; from deepseekserve.reader import folder, summary; from pathlib import Path; " \
                 "os.chdir(sys.argv[1]); os.setuid(65534); sys.stdout.write(summary.message(folder.read('.')).decode())"
        done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True,
                              env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, timeout=60)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    found = as_nobody()
    assert (found["outcome"], found["message"]) == (
        "AccessDenied", "model.safetensors cannot be read: Permission denied")
    assert "config" in found
    (path / "config.json").chmod(0o600)
    assert as_nobody()["message"] == "config.json cannot be read: Permission denied"
    path.chmod(0o700)
    assert as_nobody()["message"] == "the folder cannot be read: Permission denied"


# The command

def test_the_command_writes_the_message_and_nothing_else(tmp_path: Path) -> None:
    path, log = model(tmp_path / "model", model__safetensors=SMALL), tmp_path / "log"
    done = run(str(path), "--write", str(log))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert facts.parse_summary(log.read_text()) == read(path)
    assert sorted(file.name for file in path.iterdir()) == ["config.json", "model.safetensors"]


def test_the_command_ends_with_0_when_it_has_something_to_say(tmp_path: Path) -> None:
    done = run(str(tmp_path / "nowhere"))
    assert done.returncode == 0
    assert facts.parse_summary(done.stdout).outcome is Outcome.NO_FOLDER
    failed = run(str(tmp_path), "--write", str(tmp_path / "no" / "log"))
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "cannot be written" in failed.stderr


def test_json_that_unfolds_in_memory_is_an_answer(tmp_path: Path) -> None:
    done = run(str(model(tmp_path, model__safetensors=framed(b'{"a": [' + b"[],{}," * 2_790_000 + b"1]}"))))
    assert done.returncode == 0
    found = facts.parse_summary(done.stdout)
    assert (found.outcome, found.message) == (
        Outcome.TOO_LARGE, "one of the files takes more memory than the reader may have")
