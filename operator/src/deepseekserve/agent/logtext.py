"""Turns the engine's raw bytes into bounded lines, and a line into a Record: who wrote it, how grave it is, its text.

First stage of the diagnosis: `diagnosis.LogReader` feeds bytes in, `evidence` and `phases` read the Records.
"""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

LINE_HEAD = 6144      # of a longer line only its first and its last bytes are kept
LINE_TAIL = 2048
LINE_LIMIT = LINE_HEAD + LINE_TAIL
_BAR_LIMIT = 1024

QUIET = frozenset({"TRACE", "DEBUG", "INFO", "WARNING", "WARN"})
_GLOG = {"I": "INFO", "W": "WARNING", "E": "ERROR", "F": "CRITICAL", "D": "DEBUG", "V": "DEBUG"}

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# What other programs put before the engine's line: grep -n, docker compose, kubelet (CRI), journald.
_FOREIGN = re.compile(
    r"(?:[\w./-]+\.(?:log|out|err|txt)[:-])?\d+(?::(?=[^\s\d]|  |$)|-(?=[\[(]|INFO |ERROR |WARNING |DEBUG |Traceback"
    r"|  ))"
    r"|[\w.-]+ +\| ?"
    r"|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) (?:std(?:out|err) [FP] )?"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ [\w.-]+\[\d+\]: "
    r"|\[pod/[^\]]+\] "
)
_PROCESS = re.compile(r"\((?P<name>[A-Za-z][\w .:-]*?)(?: rank=\d+)? (?:pid|ip)=(?P<pid>[\w.]+)(?:, \w+=[^)]*)?\) ?")
_RANK = re.compile(r"\[(?P<rank>rank\d+)\]: ?")
_VLLM = re.compile(
    r"(?P<level>TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? "
    r"(?:\[(?P<source>[^\]]+:\d+)\]|(?P<old>[\w.]+\.py:\d+)\]) ?"
)
# What vLLM's processes nearly always write: at one look what the expressions above find in several.
_USUAL = re.compile(
    r"(?:\((?P<name>[A-Za-z][\w .:-]*?) pid=(?P<pid>[\w.]+)\) )?"
    r"(?P<level>TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d \[(?P<source>[^\]]+:\d+)\] ?"
)
_UVICORN = re.compile(r"(?P<level>INFO|WARNING|ERROR|CRITICAL|DEBUG): {4,}(?=\S)")
_TORCH = re.compile(r"(?:\[rank\d+\]:)?\[?(?P<level>[IWEFVD])\d{3,4} \d\d:\d\d:\d\d\.\d+ [^\]]*\] ?(?:\[\d+/\d+\] ?)?")
_GLOG_LINE = re.compile(r"(?P<level>[IWEF])\d{4} \d\d:\d\d:[\d.]+ +\d+ \S+:\d+\] ?")
_DATED = re.compile(
    r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\]?:? *[-|]? *"
    r"(?:\[?(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL|[IWEF](?= ))\]? *[-|:]? *)?"
)
_NO_HEAD = ("", " ")          # what a line begins with that no prefix and no logger's head begins with
_GLUED = re.compile(r"\d(?:\w+/s|s/\w+)\](?=\(|INFO|ERROR|WARNING|DEBUG|\[rank|Traceback|\w*Error: )")

# A progress bar that the next state of the same bar has overwritten, and nothing else on its line.
_OVERDRAWN = re.compile(
    rb"\r((?:[^\r\n%:]{0,120}:)?) *\d{1,3}%(?: Completed \||\|[^\r\n|]{0,200}\|) *[\d.]\S* \[[^\r\n\]]{0,80}\] *"
    rb"(?=\r\1 *\d{1,3}%)"
)


class Record(NamedTuple):
    """One line: `process` is "" where the line does not say; `level` is "" for lines outside any logger."""

    process: str
    level: str
    source: str
    text: str


class Lines:
    """Cuts a stream of bytes at line ends and carriage returns, in bounded memory whatever comes."""

    def __init__(self) -> None:
        self._rest = bytearray()

    @property
    def may_be_bar(self) -> bool:
        """Tell whether the unfinished line looks like a progress bar, which ends only when the next state is drawn."""
        return b"%" in self._rest and b"<" in self._rest and len(self._rest) < _BAR_LIMIT

    @property
    def rest(self) -> bytes:
        """The line that has no end yet, as far as it is kept."""
        return bytes(self._rest)

    def feed(self, data: bytes) -> bytes:
        """Return the whole lines that `data` completes, each ended by a newline; keep the rest for later."""
        if b"\r" in data:
            data = _OVERDRAWN.sub(b"", data).replace(b"\r", b"\n")
        end = data.rfind(b"\n") + 1
        if not end:
            self._keep(data)
            return b""
        first = data.find(b"\n")
        if self._rest:
            self._keep(data[:first])
            whole = bytes(self._rest) + data[first:end]
            self._rest.clear()
        else:
            whole = data[:end]
        self._keep(data[end:])
        return whole

    def _keep(self, data: bytes) -> None:
        if len(data) > LINE_LIMIT and self._rest:
            data = data[:LINE_HEAD] + data[-LINE_TAIL:]
        self._rest += data
        if len(self._rest) > LINE_LIMIT:
            self._rest[LINE_HEAD:-LINE_TAIL] = b""


def clip(line: bytes) -> bytes:
    """Bound one line to what `Lines` keeps of an unfinished one."""
    return line if len(line) <= LINE_LIMIT else line[:LINE_HEAD] + line[-LINE_TAIL:]


def decode(line: bytes) -> str:
    """Text of one line without colours, control characters and whatever is not UTF-8."""
    text = clip(line).decode("utf-8", "replace")
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return text.replace("\x00", "")


def records(line: bytes) -> Sequence[Record]:
    """The Records of one line: several when a JSON formatter put a whole message into it, or when another process wrote
    before a progress bar had ended its line."""
    text = decode(line)
    if "{" in text[:120] and text.rstrip().endswith("}") and (parsed := _from_json(text)) is not None:
        process, level, source, message = parsed
        return [Record(process, level, source, part) for part in message.splitlines()[:400]]
    first = record(text)
    if not first.level and "%" in text and 0 <= text.find("]") < len(text) - 1 and (glued := _GLUED.search(text)):
        return (record(text[:glued.end()]), record(text[glued.end():]))
    return (first,)


def record(text: str) -> Record:
    """Take one line apart: foreign prefix, process prefixes (Ray nests them), the logger's own head, the text."""
    if found := _USUAL.match(text):
        name, pid, level, source = found.group("name", "pid", "level", "source")
        return Record(f"{name} {pid}" if name else "", level, source, text[found.end():])
    process, text = _strip_prefixes(text)
    if text[:1] in _NO_HEAD:
        return Record(process, "", "", text)
    for _ in range(2):                  # a date may stand before the engine's own head
        for head in (_VLLM, _UVICORN, _TORCH, _GLOG_LINE, _DATED):
            if found := head.match(text):
                break
        else:
            break
        text = text[found.end():]
        if found["level"]:
            return Record(process, _GLOG.get(found["level"], found["level"]), _source(found, head), text)
        inner, text = _strip_prefixes(text)
        process = inner or process
    return Record(process, "", "", text)


def _strip_prefixes(text: str) -> tuple[str, str]:
    """Process that wrote the line, "" where it does not say, and the line without all prefixes."""
    process = ""
    if text[:1] in _NO_HEAD:
        return process, text
    for _ in range(3):
        if not (found := _FOREIGN.match(text)):
            break
        text = text[found.end():]
    while found := _PROCESS.match(text):
        process = f"{found['name']} {found['pid']}"
        text = text[found.end():]
    if found := _RANK.match(text):
        process = process or found["rank"]
        text = text[found.end():]
    return process, text


def _source(found: re.Match[str], head: re.Pattern[str]) -> str:
    if head is _VLLM:
        return found["source"] or found["old"]
    return {_UVICORN: "uvicorn", _DATED: "dated"}.get(head, "torch")


def _from_json(text: str) -> tuple[str, str, str, str] | None:
    """Process, level, source and message of a JSON log record (python-json-logger and its kind), or None."""
    process, text = _strip_prefixes(text)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    message = data.get("message") or data.get("msg")
    level = data.get("levelname") or data.get("level") or data.get("severity")
    if not isinstance(message, str) or not isinstance(level, str):
        return None
    for key in ("exc_info", "exc_text", "stack_info"):
        if isinstance(data.get(key), str):
            message += "\n" + data[key]
    process = process or f"{data.get('processName', '')} {data.get('process', '')}".strip()
    source = f"{str(data.get('name') or data.get('logger') or 'json').rsplit('.', 1)[-1]}.py:0"
    return process, level.upper(), source, message
