"""Turns a list of arguments into flags with their values, as vLLM's own parser reads them.

Pure; the one reader: `flags` looks for what a field says already, `fits` for what changes a sum. Underscores are
dashes, `--flag=x` is `--flag x`, short flags are long ones, `--a.b.c x` sets a part of what `--a` is given as JSON; of
several the last one counts.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Of vLLM 0.32, engine/arg_utils.py.
SHORT: Mapping[str, str] = {
    "-q": "--quantization", "-tp": "--tensor-parallel-size", "-pp": "--pipeline-parallel-size",
    "-dp": "--data-parallel-size", "-dpl": "--data-parallel-size-local", "-dcp": "--decode-context-parallel-size",
    "-pcp": "--prefill-context-parallel-size", "-ep": "--enable-expert-parallel", "-n": "--nnodes",
    "-cc": "--compilation-config", "-ac": "--attention-config", "-sc": "--speculative-config",
    "-O": "--optimization-level", "-h": "--help",
}
_NUMBER = re.compile(r"-\d+|-\d*\.\d+")          # argparse takes these as values


def is_flag(item: str) -> bool:
    """Whether argparse takes an item for a flag."""
    return item.startswith("-") and item != "-" and not _NUMBER.fullmatch(item)


def spelled(flag: str) -> str:
    """Spell a flag as vLLM's parser does: dashes for underscores, and without the part of it that is set."""
    whole = flag.split(".", 1)[0]
    return whole.replace("_", "-") if whole.startswith("--") else whole


def meant(flag: str, known: Iterable[str]) -> Sequence[str]:
    """Flags that argparse could understand by `flag`: itself, a longer one, or `-q` with its value attached."""
    names = list(known)
    return [flag] if flag in names else [name for name in names if name.startswith(flag) or _attached(flag, name)]


def value_of(arguments: Sequence[str], flag: str) -> str | None:
    """What a flag of two dashes is given; empty for one without a value, None where it is not there."""
    found: str | None = None
    names = (flag, *(short for short, long in SHORT.items() if long == flag))
    for index, item in enumerate(arguments):
        name, equals, value = item.partition("=")
        said = spelled(name)
        known = meant(said, names) if is_flag(item) else ()
        if not known:
            continue
        following = arguments[index + 1] if index + 1 < len(arguments) and not is_flag(arguments[index + 1]) else ""
        given = value if equals else following
        if _attached(said, known[0]):
            given = said.removeprefix(known[0])
        _, dot, path = name.partition(".")
        found = _with_part(found, path.split("."), given) if dot else given
    return found


def as_json(text: str | None) -> Mapping[str, Any]:
    """The fields of a value that is JSON; none for one that is not."""
    try:
        read = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _attached(flag: str, name: str) -> bool:
    return len(name) == 2 and not flag.startswith("--") and flag.startswith(name) and flag != name


def _with_part(whole: str | None, path: Sequence[str], given: str) -> str:
    """The JSON with one more part; `+` at the end of a name adds to a list."""
    read: dict[str, Any] = dict(as_json(whole))
    part = read
    for name in path[:-1]:
        inner = part.get(name)
        part[name] = part = dict(inner) if isinstance(inner, dict) else {}
    part[path[-1].rstrip("+")] = given
    return json.dumps(read)
