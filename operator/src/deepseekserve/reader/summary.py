"""What is known of a checkpoint, as a value and as JSON of less than 4,096 bytes: the kubelet keeps no more.

Pure. Made by `checkpoint`, read by `facts.checkpoints`. Nothing is cut but sentences: what does not fit is said not to.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

SCHEMA = 1
MESSAGE_BYTES = 4000                   # the kubelet keeps 4,096
UNPACKED_BYTES = 1 << 20
_PACKING_BYTES = 32 << 20              # of memory; the packer's own dictionary has 8 MiB
MOST_LEVELS = 20
MOST_CHARACTERS = 300                  # of a sentence


class Outcome(str, Enum):
    """How reading ended; the member's text is its condition."""

    READ = "Read"                          # all that is there has been read
    NO_FOLDER = "NoFolder"                 # nothing at that path, or a file
    NO_MODEL = "NoModel"                   # no config.json
    NO_SUCH_MODEL = "NoSuchModel"          # the hub shows no such repository to this token
    NO_SUCH_REVISION = "NoSuchRevision"
    ACCESS_DENIED = "AccessDenied"         # by the file system, or by the hub
    DAMAGED = "Damaged"                    # a file is there and is not what its name says
    MISSING_FILES = "MissingFiles"         # the index names files that are not there
    TOO_LARGE = "TooLarge"                 # more than any model has: not read
    UNREADABLE = "Unreadable"              # an error of the file system, a loop of links, a pipe
    UNREACHABLE = "Unreachable"            # no answer from the hub, or none that helps


class Unreadable(Exception):
    """Something could not be read; `outcome` and the text say what."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


@dataclass(frozen=True)
class Weights:
    """The weight files together."""

    format: str                        # safetensors, bin, pt or gguf
    files: int
    bytes: int                         # of all files
    dtypes: Mapping[str, int] = field(default_factory=dict)    # bytes by number format, where the headers were read


@dataclass(frozen=True)
class Summary:
    """A checkpoint, or why there is none; a problem of the weights stands beside what config.json says."""

    outcome: Outcome
    message: str = ""
    key: str = ""                      # changes when a file does
    config: Mapping[str, Any] | None = None            # the fields that sizing and fits read
    generation: Mapping[str, float] = field(default_factory=dict)
    has_chat_template: bool = False
    has_params: bool = False           # params.json: Mistral's own format
    weights: Weights | None = None
    notes: tuple[str, ...] = ()        # what else is damaged, without which sizing does well


def message(summary: Summary) -> bytes:
    """The termination message: small fields as they are, a large config packed, one that is too large left out."""
    data = _plain(summary)
    if len(found := _encode(data)) <= MESSAGE_BYTES:
        return found
    config = data.pop("config", None)
    packed = _pack(_encode(config))
    if len(found := _encode({**data, "packed": packed})) <= MESSAGE_BYTES:
        return found
    data |= {"generation": {}, "notes": []}
    if len(found := _encode({**data, "packed": packed})) <= MESSAGE_BYTES:
        return found
    if summary.outcome is Outcome.READ:
        data["outcome"] = Outcome.TOO_LARGE.value
        size = len(_encode(config))
        data["message"] = f"what sizing needs of config.json is {size} bytes, more than can be passed on"
    return _encode(data)


def unpack(text: str) -> object:
    """The config that `message` has packed; raises ValueError for anything else, and holds no more than a config."""
    import lzma  # noqa: PLC0415  some builds of Python lack it, and few configs need it

    work = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_PACKING_BYTES)
    try:
        data = work.decompress(base64.b85decode(text), UNPACKED_BYTES)
    except lzma.LZMAError as error:
        raise ValueError("not packed by the reader") from error
    if not work.eof:
        raise ValueError("cut short, or too large")
    return json.loads(data)


def _pack(data: bytes) -> str:
    """LZMA, because lists of a model's layers are what makes a config large: a third of what zlib makes of them."""
    import lzma  # noqa: PLC0415

    return base64.b85encode(lzma.compress(data, lzma.FORMAT_ALONE)).decode()


def sentence(text: str) -> str:
    """A text of others on one line, and of bounded length."""
    return str(printable(text[:MOST_CHARACTERS]))


def printable(value: Any, levels: int = MOST_LEVELS) -> Any:
    """A model's author must not write lines of our pages and manifests: blanks for what cannot be printed.

    Raises RecursionError for values within values that are more than any config has, before Python itself gives up.
    """
    if isinstance(value, str):
        return "".join(character if character.isprintable() else " " for character in value)
    if not isinstance(value, Mapping | list):
        return value
    if levels == 0:
        raise RecursionError("nested too deeply")
    if isinstance(value, Mapping):
        return {printable(key): printable(item, levels - 1) for key, item in value.items()}
    return [printable(item, levels - 1) for item in value]


def _plain(summary: Summary) -> dict[str, Any]:
    weights = summary.weights
    data: dict[str, Any] = {
        "schema": SCHEMA, "outcome": summary.outcome.value, "message": sentence(summary.message), "key": summary.key,
        "generation": dict(summary.generation),
        "chatTemplate": summary.has_chat_template, "params": summary.has_params,
        "notes": [sentence(note) for note in summary.notes],
    }
    if weights:
        data["weights"] = {"format": weights.format, "files": weights.files, "bytes": weights.bytes,
                           "dtypes": dict(weights.dtypes)}
    return data if summary.config is None else {**data, "config": summary.config}


def _encode(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
