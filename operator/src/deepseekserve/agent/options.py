"""Turns the agent's command line into frozen Options, or a message that names the option and what it takes.

First step of `main`. Everything after `--` is the engine's command and stays untouched.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

TERMINATION_LOG = "/dev/termination-log"
USAGE_ERROR = 2


@dataclass(frozen=True)
class Options:
    """What the operator decides for one engine; times in seconds."""

    port: int
    engine_port: int
    model: str
    stall_seconds: int
    drain_seconds: int
    guard: bool
    termination_log: str
    command: tuple[str, ...]


def parse(arguments: Sequence[str]) -> Options:
    """Parse the command line; exits with 2 and a message when it cannot be used, with 0 after --help."""
    ours, command = _split(arguments)
    parser = _parser()
    values = parser.parse_args(ours)
    if not command or not command[0]:
        parser.error("the engine's command is missing: write it after --, for example -- vllm serve /models/m")
    if values.port == values.engine_port:
        parser.error(f"--port and --engine-port are both {values.port}: give the agent a port of its own")
    return Options(**vars(values), command=tuple(command))


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Cut at the first `--`: argparse would read options of the engine as abbreviations of ours."""
    words = list(arguments)
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1:]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="agent.pyz", allow_abbrev=False, usage="%(prog)s --model NAME [options] -- COMMAND [ARGUMENT ...]",
        description="Start an engine, pass its output through, say how far it is and why it failed.",
    )
    port, seconds = _whole(1, 65535), _whole(1, 7 * 86400)
    parser.add_argument("--model", required=True, type=_text, metavar="NAME",
                        help="served name that /v1/models must list")
    parser.add_argument("--port", type=port, default=9800, metavar="N",
                        help="port of the agent's probes (default: 9800)")
    parser.add_argument("--engine-port", type=port, default=8000, metavar="N",
                        help="port of the engine (default: 8000)")
    parser.add_argument("--stall-seconds", type=seconds, default=600, metavar="S",
                        help="longest time of a start without progress (default: 600)")
    parser.add_argument("--drain-seconds", type=_whole(0, 7 * 86400), default=60, metavar="S",
                        help="longest time for running requests after SIGTERM (default: 60)")
    parser.add_argument("--guard", action="store_true",
                        help="VLLM_API_KEY is set: close the inference paths that the engine itself leaves open")
    parser.add_argument("--termination-log", default=TERMINATION_LOG, metavar="FILE", type=_text,
                        help=f"where the last report goes (default: {TERMINATION_LOG})")
    return parser


def _whole(low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return convert


def _text(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("an empty text names nothing")
    return text
