"""Turns the log's lines into Findings: the last line of each traceback, argparse errors, statements fatal alone.

Fed by `diagnosis.LogReader`, which hands Findings on to `causes`. Knows how Python, vLLM, pydantic, IPython and torch
write an error down, and nothing about what it means.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from deepseekserve.agent.logtext import QUIET, Record

TEXT_LIMIT = 6000           # characters of one error kept, its continuation lines included
_CONTINUED_LINES = 16
_TRACEBACK_LINES = 4000     # seen after a traceback has begun, of all processes together
_OPEN_LIMIT = 96            # processes that may be in the middle of an error at the same time
_FRAMES = 6
_STATEMENT_CHARS = 400      # a statement that is fatal by itself says so at once

# `SomeError: message`, `package.module.Something: message`; inside a traceback any dotted name may end it.
_RAISED = re.compile(
    r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]*(?:Error|Exception|Interrupt|Exit|Failure|Timeout|Expired)\b"
    r"(?::(?: |$)|$)"
    r"|(?:[a-z_]\w*\.)+_?[A-Z]\w+: "
    r"|(?:Value|Assertion) (?:error|failed), "
)
_FINAL = re.compile(r"[A-Za-z_][\w.]*(?:\[[^\]]*\])?(?::(?: |$)|$)")
_ARGPARSE = re.compile(r"(?:[\w.-]+ ?){1,3}: error: ")
_NOT_FATAL = re.compile(r"Exception ignored in|Task exception was never retrieved|Future exception was never retrieved"
                        r"|Exception in thread .{0,80}usage")
_DEATH = "engine core exited unexpectedly"       # vLLM 0.32 says it as a warning
# Where the traceback of an error begins that nobody has caught: at the outermost frame of a process.
_OUTERMOST = re.compile(r"in (?:<module>|_bootstrap\b|_run_module_as_main\b)")
# Frames of Python's own parsers and imports: an error is known by those of their caller.
_PARSER_FRAME = re.compile(r'File "(?:[^"]*/python3\.\d+/(?:json|codecs)\b|<frozen importlib)')
# Lines within one traceback, all with the same head: nothing there can end it, be JSON, a bar, or hide a colour.
_FRAME_LINE = rb"  +(?=[!-~])[^\n\x00\x1b{%]{1,4000}\n"
_FRAMES_TOGETHER = re.compile(
    rb"(?P<head>(?:\((?P<name>[A-Za-z][\w .:-]{0,99}?) pid=(?P<pid>[\w.]{1,99})\) )?"
    rb"(?:(?:ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d \[(?P<source>[\w./-]{1,200}:\d{1,9})\] )?)"
    + _FRAME_LINE + rb"(?:(?P=head)" + _FRAME_LINE + rb"){1,200}")
_CHAIN = ("During handling of the above exception", "The above exception was the direct cause")
_NOISE = re.compile(
    r"nanobind:|resource_tracker:|warnings\.warn|^INFO:|For further information visit|\[Autotuner\]|^Dumping ")


@dataclass
class Finding:
    """One error as one process wrote it."""

    process: str
    text: str
    line: int                       # number of the line among those looked at: the order of events
    level: str = ""
    source: str = ""                # the logger's file, "" on bare stderr
    frames: tuple[str, ...] = ()    # the innermost lines of its traceback
    in_traceback: bool = False
    uncaught: bool = False          # bare, and from the outermost frame on: its process ends of it
    headline: str = ""              # what the logger said before the traceback
    lines: list[str] = field(default_factory=list)

    def extend(self, text: str) -> None:
        """Append a continuation line."""
        if len(self.text) < TEXT_LIMIT and len(self.lines) <= _CONTINUED_LINES:
            self.text += "\n" + text.strip()[:TEXT_LIMIT]
            self.lines.append(text[:TEXT_LIMIT])        # as it was: it may be broken within a word


@dataclass
class _Open:
    """What one process is in the middle of writing."""

    traceback: bool = False
    harmless: bool = False
    frames: list[str] = field(default_factory=list)
    in_parser: bool = False
    outermost: str = ""
    headline: str = ""
    finding: Finding | None = None
    source: str = ""

    def frame(self, text: str) -> None:
        """Take a line of the traceback."""
        text = text.strip()
        self.outermost = self.outermost or text
        if text.startswith('File "'):
            self.in_parser = _PARSER_FRAME.search(text) is not None
        if not self.in_parser:
            self.frames = [*self.frames[1 - _FRAMES:], text[:300]]


class Evidence:
    """Collects Findings from interleaved processes; `busy` while lines to come may belong to one."""

    def __init__(self, statement: Callable[[], re.Pattern[str]]) -> None:
        self._statement = statement
        self._open: dict[str, _Open] = {}
        self._adjacent: Finding | None = None       # the Finding that the line just before belongs to
        self._patience = 0
        self.in_traceback = False       # the line just before began one, or belongs to one

    @property
    def busy(self) -> bool:
        """Tell whether the next line has to be seen, whatever it says."""
        return self._patience > 0

    def see(self, record: Record, line: int) -> Finding | None:
        """Take one line; return the Finding that it begins or continues."""
        self.in_traceback = False
        self._patience -= self._patience > 0
        adjacent, self._adjacent = self._adjacent, None
        text = record.text.rstrip()
        if record.level in QUIET and _DEATH not in text:
            self._quiet(record, text)
            return None
        state = self._state(record)
        if state.traceback:
            return self._inside(state, record, text, line)
        if "Traceback (most recent call last)" in text:
            self._begin(state, record)
            return None
        if state.finding is None and text.strip() and not text.strip().startswith(_CHAIN):
            state.headline = text.strip()
        if _NOT_FATAL.match(text):
            state.harmless, state.finding, self._patience = True, None, 40
            return None
        continues = adjacent is not None and (state.finding is adjacent or not (record.process or record.level))
        if _is_error(text) or (not continues and self._is_statement(text)):
            return self._found(state, record, text, line)
        return self._continue(state, record, text, adjacent)

    def _quiet(self, record: Record, text: str) -> None:
        """A record below ERROR ends what its process was writing; bare lines stay with their own process."""
        state = self._open.get(record.process)
        if state is not None and record.process:
            state.traceback, state.finding = False, None
            state.harmless = bool(_NOT_FATAL.match(text))

    def _state(self, record: Record) -> _Open:
        key = record.process
        state = self._open.get(key)
        if state is None:
            if len(self._open) >= _OPEN_LIMIT:
                del self._open[next(iter(self._open))]
            state = self._open[key] = _Open()
        if record.source != state.source:
            state.finding, state.traceback, state.source, state.headline = None, False, record.source, ""
        return state

    def _begin(self, state: _Open, record: Record) -> None:
        state.traceback, state.frames, state.in_parser, state.outermost, state.finding = True, [], False, "", None
        state.source = record.source
        self._patience = _TRACEBACK_LINES
        self.in_traceback = True

    def _inside(self, state: _Open, record: Record, text: str, line: int) -> Finding | None:
        if _FINAL.match(text) and "Traceback (most" not in text:
            harmless, state.harmless, state.traceback = state.harmless, False, False
            if harmless:
                self._patience = 4
                return None
            return self._found(state, record, text, line, traced=True)
        if text:
            state.frame(text)
        self.in_traceback = True
        return None

    def pass_frames(self, lines: bytes, at: int, end: int) -> tuple[int, int]:
        """Take the lines before `end` that only go on with the traceback at `at`, as `see` would one after the other.

        Returns how many, and where they end: `(0, at)` where each has to be seen by itself.
        """
        found = _FRAMES_TOGETHER.match(lines, at, end)
        if found is None:
            return 0, at
        head, name, pid, source = ((part or b"").decode() for part in found.group("head", "name", "pid", "source"))
        state = self._open.get(f"{name} {pid}" if name else "")
        text = lines[at:found.end() - 1].decode("utf-8", "replace")
        together = text.split("\n")
        if state is None or not state.traceback or state.source != source or len(together) >= self._patience:
            return 0, at
        self._patience -= len(together)
        self._adjacent = None
        keeps_all = not state.in_parser and _PARSER_FRAME.search(text) is None
        state.outermost = state.outermost or together[0][len(head):].strip()
        for line in together[-_FRAMES:] if keeps_all else together:
            state.frame(line[len(head):])
        return len(together), found.end()

    def _is_statement(self, text: str) -> bool:
        if "%|" in text or "% Completed |" in text or text.startswith(("    ", '  File "')):
            return False                # a bar, a frame: many, and the search below is dear
        return not _NOISE.search(text) and self._statement().search(text, 0, _STATEMENT_CHARS) is not None

    def _found(self, state: _Open, record: Record, text: str, line: int, *, traced: bool = False) -> Finding:
        previous = state.finding
        if previous is not None and text.lstrip().startswith(("Value error,", "Assertion failed,")) and not traced:
            previous.extend(text)
            self._adjacent = previous
            return previous
        finding = Finding(
            record.process, text.strip()[:TEXT_LIMIT], line, record.level, record.source, tuple(state.frames), traced,
            uncaught=traced and not record.level and _OUTERMOST.search(state.outermost) is not None,
            headline=state.headline, lines=[record.text.lstrip()],
        )
        state.finding, state.frames = finding, []
        self._adjacent = finding
        self._patience = _CONTINUED_LINES * 2
        return finding

    def _continue(self, state: _Open, record: Record, text: str, adjacent: Finding | None) -> Finding | None:
        if text.strip().startswith(_CHAIN):
            state.finding = None
            return None
        finding = state.finding
        if adjacent is not None and not record.process and not record.level:
            finding = adjacent              # a wrapped line has lost its prefix
        if finding is None or _NOISE.search(text):
            return None
        self._adjacent = finding
        if not text.strip():
            return None
        finding.extend(record.text)
        return finding


def _is_error(text: str) -> bool:
    """Tell whether a line is an error's last line; a document that wraps lines may have indented it."""
    body = text.lstrip()
    if len(text) - len(body) > 4:
        return False
    return _RAISED.match(body) is not None or (": error: " in body and _ARGPARSE.match(body) is not None)
