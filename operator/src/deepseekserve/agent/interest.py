"""Which lines are worth a closer look: one regular expression over raw bytes; the rest never becomes a Python object.

First filter of `diagnosis.LogReader`. A wording that contains none of these words would never be seen; a test holds
every signature's log against that.
"""

import re

from deepseekserve.agent.logtext import LINE_LIMIT, clip
from deepseekserve.agent.phases import LATE, MARKS

_ERRORS = (
    rb"Error|Exception|Exit\b|Interrupt|Failure|Timeout|Traceback|Expired|Value error|Assertion failed|rror: |Killed"
    rb"|killed by|CANCELLED|NCCL WARN|Fatal Python|Segmentation|SIGSEGV|Bus error|terminate called|[Cc]ore dumped"
    rb"|oom|OOM|No space left"
)
_STATEMENTS = (
    rb"out of memory|KV cache|max seq len|uantization|float16|divisible|capability|max_model_len|cache blocks"
    rb"|World size|Free memory|custom code|model identifier|shared memory|NUMA|exit code|exitcode|failed to start"
    rb"|initialization failed|encountered a|output_handler|hit an exception|died|memory profiling\.|allocate memory"
    rb"|bad_alloc"
)
_FACTS = (
    rb"version|LLM engine|max model len|Maximum concurrency|chat template|store kv cache|fully optimized|so forcing"
    rb"|default MoE|Falling back|allreduce|No platform|UnspecifiedPlatform|Casting torch|non-default args"
    rb"|args: Namespace|native support for FP8"
)
_MARKS = b"|".join(re.escape(words.encode()) for words in [mark.words for mark in MARKS] + [words for words, _ in LATE])
_JSON = rb'^(?:\([^)\n]*\) )?\{"'
_BAR = rb"%[| ]|% Completed"

_STARTING = re.compile(b"|".join((_ERRORS, _STATEMENTS, _FACTS, _MARKS, _JSON, _BAR)), re.MULTILINE)
_SERVING = re.compile(
    rb"Engine|AsyncLLM|Traceback|Error: |Error$|CANCELLED|\[shutdown\]|Shutting down|Background loop|died|[Kk]illed"
    rb"|exit code|out of memory|DeadError|" + _JSON, re.MULTILINE)


def next_line(lines: bytes, at: int, *, serving: bool) -> int | None:
    """Return where the next line of interest begins, at or after `at`; None when there is none."""
    pattern = _SERVING if serving else _STARTING
    while (found := pattern.search(lines, at)) is not None:
        begin = lines.rfind(b"\n", at, found.start()) + 1 or at
        end = lines.find(b"\n", found.start())
        if end - begin <= LINE_LIMIT or pattern.search(clip(lines[begin:end])):
            return begin
        at = end + 1                    # the interesting words stand in the part of a giant line that is not kept
    return None
