"""The engine's command and environment, with and without the guard, on trees of vLLM as they have been laid out."""

from dataclasses import replace
from pathlib import Path

import pytest

from deepseekserve.agent.launch import MissingKey, prepare, takes
from deepseekserve.agent.options import Options

OPTIONS = Options(port=9800, engine_port=8000, model="m", stall_seconds=600, drain_seconds=60, guard=False,
                  termination_log="/dev/null", command=("vllm", "serve", "/models/m"))
GUARDED = replace(OPTIONS, guard=True)
ROOT = Path("/deepseekserve/agent.pyz")


def vllm(root: Path, name: str, text: str) -> Path:
    path = root / "vllm" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return root / "vllm"


@pytest.mark.parametrize(("name", "text", "found"), [
    ("entrypoints/openai/cli_args.py", 'parser.add_argument(\n    "--middleware",\n    action="append")', True),
    ("entrypoints/openai/cli_args.py", "    middleware: list[str] = field(default_factory=lambda: [])\n", True),
    ("entrypoints/launchers/cli_args.py", "    middleware: list[str] = field(default_factory=list)\n", True),
    ("frontend/entrypoints/openai/cli_args.py", "    middleware : list = []", True),
    ("entrypoints/openai/api_server.py", "parser.add_argument('--middleware', type=str)", True),
    ("entrypoints/openai/cli_args.py", "parser.add_argument('--api-key')  # no middleware here", False),
    ("entrypoints/openai/protocol.py", "    middleware: list[str]", False),
])
def test_the_flag_is_found_in_the_files_of_the_engine(tmp_path: Path, name: str, text: str, found: bool) -> None:
    assert takes(vllm(tmp_path, name, text), "--middleware") is found


def test_without_a_guard_the_command_and_the_environment_stay_as_they_are() -> None:
    launch = prepare(OPTIONS, {"A": "1", "PYTHONPATH": "/x"}, ROOT, None)
    assert (launch.command, launch.environment, launch.key, launch.notes) == (
        OPTIONS.command, {"A": "1", "PYTHONPATH": "/x"}, "", ())


@pytest.mark.parametrize(("before", "after"), [
    (None, "/deepseekserve/agent.pyz"), ("", "/deepseekserve/agent.pyz"), ("/a:/b", "/a:/b:/deepseekserve/agent.pyz"),
    ("/a::", "/a:/deepseekserve/agent.pyz"),
])
def test_the_guard_is_the_last_argument_and_last_in_the_path(tmp_path: Path, before: str | None, after: str) -> None:
    engine = vllm(tmp_path, "entrypoints/openai/cli_args.py", "'--middleware'")
    environment = {"VLLM_API_KEY": "k"} | ({} if before is None else {"PYTHONPATH": before})
    launch = prepare(GUARDED, environment, ROOT, engine)
    assert launch.command == (*OPTIONS.command, "--middleware", "deepseekserve.agent.guard.Guard")
    assert launch.environment == {"VLLM_API_KEY": "k", "PYTHONPATH": after}
    assert (launch.key, launch.notes) == ("k", ())


@pytest.mark.parametrize(("text", "why"), [("", "has no --middleware"), (None, "no vllm package was found")])
def test_an_engine_without_the_flag_is_started_as_it_is_with_a_note(tmp_path: Path, text: str | None, why: str) -> None:
    engine = None if text is None else vllm(tmp_path, "entrypoints/openai/cli_args.py", text)
    launch = prepare(GUARDED, {"VLLM_API_KEY": "k"}, ROOT, engine)
    assert launch.command == OPTIONS.command
    assert launch.notes[0].startswith("inference paths outside /v1 are open without the key: ")
    assert why in launch.notes[0]


def test_white_space_around_a_key_is_cut_off_for_the_engine_too() -> None:
    launch = prepare(OPTIONS, {"VLLM_API_KEY": " k\n"}, ROOT, None)
    assert (launch.key, launch.environment["VLLM_API_KEY"]) == ("k", "k")


@pytest.mark.parametrize("environment", [{}, {"VLLM_API_KEY": ""}, {"VLLM_API_KEY": "\n"}])
def test_a_guard_without_a_key_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(MissingKey, match="VLLM_API_KEY is empty"):
        prepare(GUARDED, environment, ROOT, None)


QUIET = ("--disable-access-log-for-endpoints", "/health,/metrics,/ping")
KNOWS = "    disable_access_log_for_endpoints: str | None = None\n"


@pytest.mark.parametrize(("text", "command", "added"), [
    (KNOWS, ("vllm", "serve", "m"), QUIET),
    (KNOWS, ("/opt/vllm/bin/vllm", "serve", "m"), QUIET),
    ("", ("vllm", "serve", "m"), ()),
    (KNOWS, ("python3", "serve.py"), ()),
    (KNOWS, ("vllm", "serve", "m", "--disable-access-log-for-endpoints", "/ping"), ()),
    (KNOWS, ("vllm", "serve", "m", "--disable_access_log_for_endpoints=/ping"), ()),
    (KNOWS, ("vllm", "serve", "m", "--disable-uvicorn-access-log"), ()),
    (KNOWS, ("vllm", "serve", "m", "--log-config-file=/x.json"), ()),
])
def test_probes_are_kept_out_of_the_log_where_the_engine_can(
    tmp_path: Path, text: str, command: tuple[str, ...], added: tuple[str, ...],
) -> None:
    engine = vllm(tmp_path, "entrypoints/launchers/cli_args.py", text)
    assert prepare(replace(OPTIONS, command=command), {}, ROOT, engine).command == (*command, *added)
