"""The words that a person may type."""

from pathlib import Path

import pytest

from tests.cluster.__main__ import COMMANDS, main, parser


def test_a_plain_up_is_the_default_cluster_with_the_provider_found_out() -> None:
    options = parser().parse_args(["up"])
    assert (options.command, options.name, options.provider) == ("up", "dss", "auto")
    assert (options.gpus, options.kwok) == (None, None)


@pytest.mark.parametrize("words", [
    ["--provider", "kind", "--name", "x", "up", "--image", "node:1"],
    ["up", "--provider", "kind", "--name", "x", "--image", "node:1"],
    ["--name", "x", "up", "--provider", "kind", "--image", "node:1"],
])
def test_name_and_provider_may_stand_before_or_after_the_command(words: list[str]) -> None:
    options = parser().parse_args(words)
    assert (options.provider, options.name, options.image) == ("kind", "x", "node:1")


def test_load_takes_several_archives() -> None:
    assert parser().parse_args(["load", "a.tar", "b.tar"]).archives == [Path("a.tar"), Path("b.tar")]


@pytest.mark.parametrize("dashes", [["--"], []])
def test_what_follows_exec_is_left_alone(dashes: list[str]) -> None:
    command = ["kubectl", "get", "pods", "--name", "-A"]
    assert parser().parse_args(["exec", *dashes, *command]).words[-5:] == command


@pytest.mark.parametrize("count", ["-1", "two", "65", "1.5", "٣"])
def test_a_number_of_gpus_that_makes_no_sense_is_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["up", f"--gpus={count}"])
    assert ended.value.code == 2
    assert "a whole number from 0 to 64" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "UPPER", "-x", "x-", "a" * 21, "a/b", "..", "1a"])
def test_a_name_that_cannot_become_an_interface_or_a_label_is_refused(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", f"--name={name}"]) == 1
    assert "--name" in capsys.readouterr().err


def test_a_cluster_that_is_not_there_is_said_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DSS_STATE", str(tmp_path))
    assert main(["kubeconfig", "--name=nobody"]) == 1
    assert "there is no cluster nobody: python -m tests.cluster --name nobody up" in capsys.readouterr().err


def test_every_command_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--help"])
    shown = capsys.readouterr().out
    assert [c for c in COMMANDS if c not in shown] == []
