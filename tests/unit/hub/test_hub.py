"""The hub through its real client: a real server on this machine, and what is no server at all."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deepseekserve import hub
from deepseekserve.facts import parse_summary
from deepseekserve.hub import asking, bounds
from deepseekserve.hub.__main__ import main
from deepseekserve.reader.summary import Outcome, Summary, Weights
from tests.unit.hub.server import SHA, Repository, Server, running
from tests.unit.reader.files import INDEX, framed, safetensors
from tests.unit.sizing.models import llama

SMALL = safetensors({"a": ("BF16", [4, 8]), "b": ("F32", [2])})
CONFIG = json.dumps(llama()).encode()
LONG_S = 60.0                          # more than any answer takes here: what is not asked about time
SHORT_S = 0.3                          # of those that are to run out


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as found:
        yield found


def read(
    server: Server | str, name: str = "a/b", revision: str | None = None, *, token: str | None = None,
    seconds: float = LONG_S,
) -> Summary:
    endpoint = server if isinstance(server, str) else server.endpoint
    return hub.read(endpoint, name, revision, token, seconds=seconds)


def model(**files: bytes) -> dict[str, bytes]:
    return {"config.json": CONFIG, **{name.replace("__", "."): data for name, data in files.items()}}


# Good ones

def test_a_model_is_read_by_its_headers_and_small_files(server: Server) -> None:
    large = SMALL + bytes(300_000)     # after what its header says: only the header is looked at
    server.repositories["a/b"] = Repository(model(
        model__safetensors=large, generation_config__json=b'{"temperature": 0.6}', chat_template__jinja=b"{{ x }}",
        tokenizer_config__json=b'{}'))
    found = read(server)
    assert (found.outcome, found.message, found.key) == (Outcome.READ, "", SHA)
    assert found.weights == Weights("safetensors", 1, len(large), {"BF16": 64, "F32": 8})
    assert (found.generation, found.has_chat_template) == ({"temperature": 0.6}, True)
    assert found.config is not None
    assert found.config["hidden_size"] == 512
    base = f"/a/b/resolve/{SHA}/"
    assert server.requests == [
        "/api/models/a/b", *(base + name for name in (
            "config.json", "generation_config.json", "tokenizer_config.json", "model.safetensors"))]


def test_of_many_shards_the_hubs_own_count_is_taken(server: Server) -> None:
    shards = {f"model-{number}.safetensors": SMALL for number in range(9)}
    index = json.dumps({"weight_map": {name: name for name in shards}, "metadata": {"total_size": 1}}).encode()
    counted = {"parameters": {"BF16": 288, "F32": 18, "NEW": 5}, "total": 311}
    server.repositories["a/b"] = Repository({**model(), INDEX: index, **shards}, info={"safetensors": counted})
    found = read(server)
    assert found.weights == Weights("safetensors", 9, 9 * len(SMALL), {"BF16": 576, "F32": 72})
    assert [path for path in server.requests if path.endswith(".safetensors")] == []


@pytest.mark.parametrize(("count", "dtypes"), [(0, {"BF16": 64, "F32": 8}), (1, {"BF16": 64, "F32": 8}), (9, {})])
def test_a_mirror_that_does_not_say_sizes_is_still_enough(
    server: Server, count: int, dtypes: dict[str, int],
) -> None:
    shards = {f"model-{number}.safetensors": SMALL for number in range(max(1, count))}
    index = json.dumps({"weight_map": {name: name for name in shards}, "metadata": {"total_size": 72 * count}}).encode()
    files = {**model(), **shards, **({INDEX: index} if count else {})}
    server.repositories["a/b"] = Repository(files, info={"siblings": [{"rfilename": name} for name in files]})
    assert read(server).weights == Weights("safetensors", len(shards), 72 * len(shards), dtypes)


def test_shards_that_the_hub_does_not_have_are_missing(server: Server) -> None:
    index = json.dumps({"weight_map": {"x": "a.safetensors"}, "metadata": {"total_size": 72}}).encode()
    server.repositories["a/b"] = Repository({**model(), INDEX: index})
    found = read(server)
    assert (found.outcome, found.weights) == (Outcome.MISSING_FILES, Weights("safetensors", 1, 72))


@pytest.mark.parametrize("revision", ["main", SHA])
def test_a_revision_is_honoured(server: Server, revision: str) -> None:
    server.repositories["a/b"] = Repository(model())
    assert read(server, revision=revision).outcome is Outcome.READ
    assert server.requests[0] == f"/api/models/a/b/revision/{revision}"


def test_a_model_of_another_name_today_is_found(server: Server) -> None:
    server.repositories.update({"a/b": Repository(moved="c/d"), "c/d": Repository(model(model__safetensors=SMALL))})
    assert read(server).weights == Weights("safetensors", 1, len(SMALL), {"BF16": 64, "F32": 8})


def test_the_token_reaches_the_hub_and_no_other_host(server: Server) -> None:
    files = model(model__safetensors=SMALL)
    with running() as other:
        other.repositories["a/b"] = Repository(files)
        server.repositories["a/b"] = Repository(files, token="hf_own", elsewhere=other.endpoint)
        assert read(server, token="hf_own").outcome is Outcome.READ
        assert set(server.tokens) == {"Bearer hf_own"}
        assert other.tokens == [None]


def test_a_header_longer_than_a_first_look_is_read_whole(server: Server) -> None:
    many = safetensors({f"model.layers.{number}.weight": ("BF16", [1]) for number in range(2000)})
    server.repositories["a/b"] = Repository(model(model__safetensors=many))
    found = read(server).weights
    assert found is not None
    assert found.dtypes == {"BF16": 4000}


# What is not there

def test_a_missing_model_and_one_that_is_private_look_alike(server: Server) -> None:
    server.repositories["a/private"] = Repository(model(), token="hf_own")
    for name in ("a/none", "a/private"):
        without, wrong = read(server, name), read(server, name, token="hf_other")
        assert {without.outcome, wrong.outcome} == {Outcome.NO_SUCH_MODEL}
        assert without.message == f"{server.endpoint} has no {name}, or it is private, and no token is given"
        assert wrong.message.endswith("and the token has no access to it")


@pytest.mark.parametrize("name", ["a/b/c", "..", "a b", ""])
def test_what_is_no_name_of_a_repository_is_no_model(server: Server, name: str) -> None:
    assert read(server, name).outcome is Outcome.NO_SUCH_MODEL
    assert server.requests == []


def test_a_missing_revision_is_named(server: Server) -> None:
    server.repositories["a/b"] = Repository(model())
    found = read(server, revision="v9")
    assert (found.outcome, found.message) == (Outcome.NO_SUCH_REVISION, "a/b has no revision v9")


@pytest.mark.parametrize(("token", "why"), [(None, "no token is given"), ("hf_x", "the token has no access to it")])
def test_a_gated_model_says_what_is_missing(server: Server, token: str | None, why: str) -> None:
    server.repositories["a/b"] = Repository(model(), gated_token="hf_own")
    found = read(server, token=token)
    assert (found.outcome, found.message) == (Outcome.ACCESS_DENIED, f"a/b is gated, and {why}")
    assert read(server, token="hf_own").outcome is Outcome.READ


@pytest.mark.parametrize(("status", "outcome"), [
    (401, Outcome.NO_SUCH_MODEL), (403, Outcome.ACCESS_DENIED), (429, Outcome.UNREACHABLE), (500, Outcome.UNREACHABLE),
    (503, Outcome.UNREACHABLE), (404, Outcome.NO_SUCH_MODEL), (400, Outcome.UNREACHABLE),
])
def test_other_answers_are_told_by_their_number(server: Server, status: int, outcome: Outcome) -> None:
    server.repositories["a/b"] = Repository(status=status)
    found = read(server)
    assert found.outcome is outcome
    assert server.endpoint in found.message
    assert str(status) in found.message or outcome is Outcome.NO_SUCH_MODEL


def test_a_token_that_nobody_has_is_denied(server: Server) -> None:
    server.repositories["a/b"] = Repository(model(), token="hf_own", expired=("hf_old",))
    found = read(server, token="hf_old")
    assert (found.outcome, found.message) == (Outcome.ACCESS_DENIED, f"{server.endpoint} denies access to a/b: 401")


def test_a_file_that_is_listed_and_gone_is_missing(server: Server) -> None:
    listed = [{"rfilename": "config.json", "size": 5}]
    server.repositories["a/b"] = Repository({}, info={"siblings": listed})
    found = read(server)
    assert (found.outcome, found.message) == (Outcome.MISSING_FILES, f"{server.endpoint} has no config.json")


def test_a_model_that_the_hub_has_disabled_is_told(server: Server) -> None:
    server.repositories["a/b"] = Repository(disabled=True)
    found = read(server)
    assert (found.outcome, found.message) == (
        Outcome.ACCESS_DENIED, f"a/b has been disabled by {server.endpoint}")


def test_a_repository_without_a_config_says_what_it_has(server: Server) -> None:
    server.repositories["a/b"] = Repository({"q4.gguf": b"12", "README.md": b""})
    found = read(server)
    assert (found.outcome, found.message) == (Outcome.NO_MODEL, "no config.json, but README.md, q4.gguf")
    server.repositories["a/b"] = Repository({"text/config.json": CONFIG})
    assert read(server).message == "no config.json, but one in text"


# What is damaged

def test_a_damaged_config_says_where(server: Server) -> None:
    server.repositories["a/b"] = Repository({"config.json": b'{"a": }'})
    found = read(server)
    assert (found.outcome, found.message) == (
        Outcome.DAMAGED, "config.json is damaged: line 1 column 7: Expecting value")


@pytest.mark.parametrize("content", [
    b"123", framed(b"{]"), framed(b"[]"), framed(b'{"a": 1}'), framed(b'{"a": {}}'), b"version https://git-lfs",
    framed(b'{"a": {"dtype": 1, "shape": 1, "data_offsets": [1]}}'),
])
def test_a_damaged_header_is_damage_beside_the_config(server: Server, content: bytes) -> None:
    server.repositories["a/b"] = Repository(model(model__safetensors=content))
    found = read(server)
    assert found.outcome is Outcome.DAMAGED
    assert "model.safetensors" in found.message
    assert found.config is not None


def test_a_config_that_is_none_by_its_size_is_not_asked_for(server: Server) -> None:
    server.repositories["a/b"] = Repository({"config.json": b" " * (5 << 20)})
    assert read(server).outcome is Outcome.TOO_LARGE
    assert len(server.requests) == 1


@pytest.mark.parametrize("info", [{"siblings": 5}, {"siblings": [{"size": 5}]}, {"safetensors": 5}, {"createdAt": 1}])
def test_an_answer_that_is_no_hubs_is_damage(server: Server, info: Any) -> None:
    server.repositories["a/b"] = Repository(model(), info=info)
    assert read(server).outcome is Outcome.DAMAGED


def test_an_answer_without_an_end_is_cut(server: Server) -> None:
    server.endless = True
    found = read(server)
    assert (found.outcome, found.message) == (
        Outcome.TOO_LARGE, f"/api/models/a/b has more than {bounds.ANSWER_BYTES} bytes")


def test_an_answer_that_may_unfold_is_not_taken(server: Server) -> None:
    server.compressed = True
    server.repositories["a/b"] = Repository(model())
    assert read(server).message == "127.0.0.1 answers compressed, unasked"


# What does not answer

def test_a_hub_that_accepts_and_is_silent_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = read(endpoint, seconds=SHORT_S)
    assert (found.outcome, found.message) == (
        Outcome.UNREACHABLE, f"{endpoint} does not answer: it takes too long")


def test_a_hub_that_drips_is_unreachable(server: Server) -> None:
    server.drips = True
    found = read(server, seconds=SHORT_S)
    assert (found.outcome, found.message) == (
        Outcome.UNREACHABLE, f"{server.endpoint} does not answer: it takes too long")


def test_a_refused_connection_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    found = read(f"http://127.0.0.1:{port}")
    assert found.outcome is Outcome.UNREACHABLE
    assert "Connection refused" in found.message


def test_no_sentence_has_the_password_of_an_address(server: Server) -> None:
    endpoint = server.endpoint.replace("//", "//me:secret@")
    assert read(endpoint).message == (
        f"{server.endpoint} has no a/b, or it is private, and the token has no access to it")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = read(f"http://me:secret@127.0.0.1:{silent.getsockname()[1]}", seconds=SHORT_S)
    assert (found.outcome, "secret" in found.message) == (Outcome.UNREACHABLE, False)


def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    assert read("http://hub.invalid").outcome is Outcome.UNREACHABLE


@pytest.mark.parametrize("endpoint", ["nonsense", "http://[", "ftp://127.0.0.1"])
def test_an_endpoint_that_is_none_is_unreachable(endpoint: str) -> None:
    assert read(endpoint).outcome is Outcome.UNREACHABLE


def test_a_ring_of_redirects_ends(server: Server) -> None:
    server.repositories["a/b"] = Repository(moved="a/b")
    assert read(server).outcome is Outcome.UNREACHABLE


def test_an_answer_comes_although_the_client_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a name server does that never answers: no time limit of the client reaches it."""
    release = threading.Event()

    def stuck(*_: object, **__: object) -> list[object]:
        release.wait()
        raise OSError("released")

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    found = read("http://hub.invalid", seconds=SHORT_S)
    assert (found.outcome, found.message) == (
        Outcome.UNREACHABLE, "http://hub.invalid does not answer: it takes too long")
    release.set()


def test_a_bug_is_raised_where_the_answer_is_awaited() -> None:
    class Broken:
        def __bool__(self) -> bool:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hub.read("http://hub.invalid", "a/b", token=Broken())  # type: ignore[arg-type]


def test_the_command_leaves_what_it_has_read_with_the_engines_way_and_token(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    server.repositories["a/b"] = Repository(model(model__safetensors=SMALL))
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", "hf_older")
    log = tmp_path / "termination-log"
    log.touch()
    assert main(["a/b", "--write", str(log)]) == 0
    found = parse_summary(log.read_text())
    assert (found.outcome, found.key) == (Outcome.READ, SHA)
    assert "hf_older" in str(server.tokens)
    assert main(["a/b", "--revision", "nowhere"]) == 0
    assert parse_summary(capsys.readouterr().out).outcome is Outcome.NO_SUCH_REVISION
    assert main(["a/b", "--write", str(tmp_path / "nowhere" / "log")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_nothing_is_written_and_no_token_is_taken_from_the_home_directory(server: Server, tmp_path: Path) -> None:
    server.repositories["a/b"] = Repository(model(model__safetensors=SMALL))
    kept = tmp_path / ".cache" / "huggingface" / "token"
    kept.parent.mkdir(parents=True)
    kept.write_text("hf_kept")
    script = ("import sys; from deepseekserve.hub import repository; "
              "print(repository.read(sys.argv[1], None, 'a/b', None, seconds=60).outcome.value)")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", script, server.endpoint], capture_output=True, text=True, timeout=120, check=True,
        env={**environment, "HOME": str(tmp_path), "HF_ENDPOINT": server.endpoint, "HF_TOKEN": "hf_other",
             "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.stdout == "Read\n"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [kept]
    assert set(server.tokens) == {None}
    assert len(server.requests) == 3


def test_an_answer_is_had_within_five_seconds() -> None:
    assert asking.SECONDS + asking._GRACE_S < 5
