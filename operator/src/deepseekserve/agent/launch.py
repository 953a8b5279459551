"""Turns the engine's command and environment into those that are started, with the guard in front when a key is set.

Used once by `main`. Whether the installed vLLM takes `--middleware` is read from its files: importing it would take
seconds and memory that the engine needs.
"""

import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deepseekserve.agent.options import Options

KEY_VARIABLE = "VLLM_API_KEY"
_MIDDLEWARE = "deepseekserve.agent.guard.Guard"
_FLAG = re.compile(r"""["']--middleware["']|^\s+middleware\s*:\s*list""", re.MULTILINE)
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
    if not options.guard:
        return Launch(options.command, ours, key)
    if not key:
        raise MissingKey(f"{KEY_VARIABLE} is empty: the engine would serve everybody")
    if engine is None or not takes_middleware(engine):
        why = "this engine has no --middleware" if engine else "no vllm package was found beside the agent's Python"
        return Launch(options.command, ours, key, (_OPEN_NOTE.format(why=why),))
    paths = [p for p in environment.get("PYTHONPATH", "").split(":") if p]
    ours["PYTHONPATH"] = ":".join([*paths, str(root)])
    return Launch((*options.command, "--middleware", _MIDDLEWARE), ours, key)


def find_engine() -> Path | None:
    """Return the folder of the installed vllm package without importing it; None when there is none."""
    try:
        spec = importlib.util.find_spec("vllm")
    except (ImportError, ValueError):
        return None
    locations = list(spec.submodule_search_locations or ()) if spec else []
    return Path(locations[0]) if locations else None


def takes_middleware(engine: Path) -> bool:
    """Tell whether the command line of the vLLM in this folder knows --middleware."""
    return any(_FLAG.search(text) for text in _sources(engine))


def _sources(engine: Path) -> Iterator[str]:
    """Yield the files that define the server's flags; they have moved between releases."""
    for folder in _FLAG_FOLDERS:
        for name in _FLAG_FILES:
            for path in sorted((engine / folder).rglob(name)):
                yield path.read_text(errors="replace")
