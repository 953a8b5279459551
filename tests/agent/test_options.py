"""The agent's command line: what it takes, and how it says what it does not take."""

import pytest

from deepseekserve.agent.options import Options, parse

ENGINE = ["--", "vllm", "serve", "/models/m", "--port", "8000", "--", "--model", "x"]


def test_the_command_line_of_the_operator_is_understood() -> None:
    line = "--port 9800 --engine-port 8000 --model R1 --stall-seconds 600 --drain-seconds 60 --guard"
    assert parse([*line.split(), *ENGINE]) == Options(
        port=9800, engine_port=8000, model="R1", stall_seconds=600, drain_seconds=60, guard=True,
        termination_log="/dev/termination-log", command=tuple(ENGINE[1:]),
    )


def test_only_the_model_and_the_command_have_no_default() -> None:
    options = parse(["--model", "R1", "--", "vllm"])
    assert (options.port, options.engine_port, options.guard) == (9800, 8000, False)
    assert (options.stall_seconds, options.drain_seconds, options.command) == (600, 60, ("vllm",))


@pytest.mark.parametrize(("arguments", "message"), [
    ([*ENGINE], "--model"),
    (["--model", "m"], "the engine's command is missing"),
    (["--model", "m", "--"], "the engine's command is missing"),
    (["--model", "m", "--", ""], "the engine's command is missing"),
    (["--model", "", *ENGINE], "an empty text names nothing"),
    (["--model", "m", "--port", "0", *ENGINE], "'0' is not a whole number from 1 to 65535"),
    (["--model", "m", "--port", "65536", *ENGINE], "not a whole number from 1 to 65535"),
    (["--model", "m", "--port", "8000", *ENGINE], "--port and --engine-port are both 8000"),
    (["--model", "m", "--stall-seconds", "0", *ENGINE], "argument --stall-seconds: '0' is not"),
    (["--model", "m", "--stall-seconds", "1.5", *ENGINE], "'1.5' is not a whole number"),
    (["--model", "m", "--drain-seconds", "-1", *ENGINE], "--drain-seconds"),
    (["--model", "m", "--drain-seconds", "\u0661", *ENGINE], "not a whole number"),
    (["--model", "m", "--stall-seconds", "9" * 5000, *ENGINE], "--stall-seconds"),
    (["--model", "m", "--stall", "5", *ENGINE], "--stall"),
    (["--model", "m", "--unknown", *ENGINE], "--unknown"),
])
def test_a_wrong_command_line_ends_with_2_and_names_what_is_wrong(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    names = "model port engine-port stall-seconds drain-seconds guard termination-log"
    assert [name for name in names.split() if f"--{name}" not in text] == []
