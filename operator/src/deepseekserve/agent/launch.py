"""Turns the engine's command and environment into those that are started: with the guard when a key is set, and without
a line in the log for each of our probes.

Used once by `main`. Whether the installed vLLM takes a flag is read from its files: importing it would take seconds and
memory that the engine needs.
"""

import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deepseekserve.agent.options import Options

KEY_VARIABLE = "VLLM_API_KEY"
_MIDDLEWARE = "deepseekserve.agent.guard.Guard"
_QUIET = ("--disable-access-log-for-endpoints", "/health,/metrics,/ping")
_QUIET_ALREADY = ("--disable-access-log-for-endpoints", "--disable-uvicorn-access-log", "--log-config-file")
_FLAG_FILES = ("cli_args.py", "api_server.py")
_FLAG_FOLDERS = ("entrypoints", "frontend")
_OPEN_NOTE = ("inference paths outside /v1 are open without the key: {why}. Close them with a NetworkPolicy or a "
              "proxy, or set spec.engine.image to a vLLM that has --middleware.")


class MissingKey(Exception):
    """--guard was given and the variable with the key is missing or empty."""


@dataclass(frozen=True)
class Launch:
    """What is started, the key for the agent's own calls, and what the owner should know about it."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    key: str
    notes: tuple[str, ...] = ()


def prepare(options: Options, environment: Mapping[str, str], root: Path, engine: Path | None) -> Launch:
    """Put the guard into command and environment; raises MissingKey.

    `root` is what must be on the engine's PYTHONPATH (the zipapp), `engine` the folder of the vllm package.
    A line end around the key, as files have it, could never be sent in a header: it is cut off.
    """
    key = environment.get(KEY_VARIABLE, "").strip()
    ours = {**environment, KEY_VARIABLE: key} if key else dict(environment)
    command = (*options.command, *_quiet(options.command, engine))
    if not options.guard:
        return Launch(command, ours, key)
    if not key:
        raise MissingKey(f"{KEY_VARIABLE} is empty: the engine would serve everybody")
    if engine is None or not takes(engine, "--middleware"):
        why = "this engine has no --middleware" if engine else "no vllm package was found beside the agent's Python"
        return Launch(command, ours, key, (_OPEN_NOTE.format(why=why),))
    paths = [p for p in environment.get("PYTHONPATH", "").split(":") if p]
    ours["PYTHONPATH"] = ":".join([*paths, str(root)])
    return Launch((*command, "--middleware", _MIDDLEWARE), ours, key)


def find_engine() -> Path | None:
    """Return the folder of the installed vllm package without importing it; None when there is none."""
    try:
        spec = importlib.util.find_spec("vllm")
    except (ImportError, ValueError):
        return None
    locations = list(spec.submodule_search_locations or ()) if spec else []
    return Path(locations[0]) if locations else None


def takes(engine: Path, flag: str) -> bool:
    """Tell whether the command line of the vLLM in this folder knows a flag: argparse's, or a class's field."""
    name = flag.removeprefix("--").replace("-", "_")
    pattern = re.compile(rf"""["']{flag}["']|^\s+{name}\s*:""", re.MULTILINE)
    return any(pattern.search(text) for text in _sources(engine))


def _quiet(command: tuple[str, ...], engine: Path | None) -> tuple[str, ...]:
    """Return the flag that keeps probes out of the engine's log, unless its owner has decided about that log."""
    written = [word.split("=", 1)[0].replace("_", "-") for word in command]
    if engine is None or Path(command[0]).name != "vllm" or any(flag in written for flag in _QUIET_ALREADY):
        return ()
    return _QUIET if takes(engine, _QUIET[0]) else ()


def _sources(engine: Path) -> Iterator[str]:
    """Yield the files that define the server's flags; they have moved between releases."""
    for folder in _FLAG_FOLDERS:
        for name in _FLAG_FILES:
            for path in sorted((engine / folder).rglob(name)):
                yield path.read_text(errors="replace")
