"""Turns a log file into one JSON object: `python -m deepseekserve.agent.diagnose FILE|-`.

The command line over `diagnosis.LogReader`, for people and for tests; the agent uses the reader itself.
"""

import json
import sys
from collections.abc import Sequence
from typing import BinaryIO

from deepseekserve.agent.diagnosis import ExitInfo, LogReader

_CHUNK_BYTES = 1 << 18


def diagnose(log: BinaryIO) -> dict[str, object]:
    """Read a whole log of an engine that has ended, or of whom nothing more is known, and say what it shows."""
    reader = LogReader()
    while data := log.read(_CHUNK_BYTES):
        reader.feed(data, 0.0)
    failure = reader.failure(ExitInfo())
    return {
        "reason": failure.reason.value if failure else None,
        "message": failure.message if failure else None,
        "remedy": failure.remedy if failure else None,
        "fixes": [fix.to_json() for fix in failure.fixes] if failure else [],
        "phase": reader.phase.value,
        "percent": reader.percent,
        "facts": reader.facts,
        "lines": list(failure.lines) if failure else [],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the diagnosis as one JSON object; 0 also when it found a failure, 2 when the file cannot be read."""
    path = _path(sys.argv[1:] if arguments is None else arguments)
    try:
        if path == "-":
            result = diagnose(sys.stdin.buffer)
        else:
            with open(path, "rb") as log:
                result = diagnose(log)
    except OSError as error:
        print(f"cannot read {path}: {error.strerror or error}", file=sys.stderr)
        return 2
    print(json.dumps(result, ensure_ascii=False))
    return 0


def _path(arguments: Sequence[str]) -> str:
    if len(arguments) == 1 and (arguments[0] == "-" or not arguments[0].startswith("-")):
        return arguments[0]
    import argparse  # noqa: PLC0415  a tenth of what a short log takes, and only needed for help and for errors

    parser = argparse.ArgumentParser(
        prog="python -m deepseekserve.agent.diagnose",
        description="Say why an engine's log ends as it does: one JSON object on stdout. `reason` is null when it "
                    "shows no failure.",
    )
    parser.add_argument("file", metavar="FILE", help="a log of vLLM, or - for standard input")
    return str(parser.parse_args(arguments).file)


if __name__ == "__main__":
    sys.exit(main())
