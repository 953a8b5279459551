"""Which lines are worth a closer look: one regular expression over raw bytes; the rest never becomes a Python object.

First filter of `diagnosis.LogReader`; a test holds every log, every mark and every signature against it. Words begin
with a byte that is rare in a log (a capital, a bracket, a line's begin), because the expression is only tried where
such a byte stands: that makes the difference between 10,000 and 500,000 lines per second.
"""

import re
from collections.abc import Iterable

from deepseekserve.agent.logtext import LINE_LIMIT, clip

# What an error begins with, whoever writes it.
_ERRORS = (
    "ERROR", "CRITICAL", "Error", "Exception", "Exit", "Interrupt", "Failure", "Timeout", "Expired", "Traceback",
    "Value error", "Assertion failed", ": error: ", "Killed", "CANCELLED", "NCCL WARN", "Fatal Python", "Segmentation",
    "SIGSEGV", "SIGKILL", "SIGTERM", "Bus error", "\nterminate called", "\nAborted", "Core dumped", "(core dumped)",
    "Illegal instruction", "OOM", "Out of memory", "\n{\"", ") {\"",
)
# Statements of errors that have lost the exception's name on their way.
_STATEMENTS = (
    "CUDA", "HIP out", "OutOf", "GPU memory", "To serve at least", "No available memory", "Cannot ", "Free memory",
    "Available memory", "DefaultCPU", "Total number", "World size", "Not enough", "Quantization", "Unknown", "Bfloat16",
    "FP8", "Failed to find", "User-specified", "The model's max", "The repository", "Unable to allocate", "Offline",
    "No space left", "Memory cgroup", "oom-kill", "memory allocation of", "!!!!!!! Segfault", "Engine core",
    "EngineDead", "Engine process", "WorkerProc", "Background loop",
    "Invalid", "Header", "Metadata", "NVML", "BackendCompiler",
)
# What begins a phase, or states a fact.
_STARTS = (
    "API server version", "] non-default args", "] args: ", "Resolved architecture", "Using max model",
    "Using model weights", "Using cache dir", "Using fp8 data", "LLM engine", "] rank ", "Starting", "Time spent",
    "Loading", "Checkpoint size", "Model loading", "Warming up", "Dynamo", "Cache the graph", "Compiling",
    "Directly load", "AOT compiled", "] torch.compile", "Memory profiling", "Initial profiling", "Profiling",
    "Available KV", "KV cache", "# GPU blocks", "# cuda blocks", "# CPU blocks", "Capturing", "Graph capturing",
    "Application startup", "Uvicorn running", "] init engine", "Started server", "Maximum concurrency",
    "No platform", "UnspecifiedPlatform", "Auto-fit", "Detected that", "WARNING", "No chat template", "%|", "% ",
)
_SERVED = (
    "ERROR", "CRITICAL", "Error", "Exception", "Traceback", "[shutdown]", "Shutting down", "CANCELLED", "EngineDead",
)


def any_of(words: Iterable[bytes]) -> bytes:
    """Return a regular expression for any of `words` that tries each common beginning once."""
    branches: dict[int, list[bytes]] = {}
    for word in words:
        if not word:
            return b""
        branches.setdefault(word[0], []).append(word[1:])
    parts = [re.escape(bytes([first])) + any_of(rests) for first, rests in sorted(branches.items())]
    return parts[0] if len(parts) == 1 else b"(?:" + b"|".join(parts) + b")"


# The banner's version stands beside a drawn block, whose last byte is rare enough.
_STARTING = re.compile(any_of([word.encode() for word in _ERRORS + _STATEMENTS + _STARTS] + [b"\x88  version "]))
_SERVING = re.compile(any_of([word.encode() for word in _SERVED]))


def next_line(lines: bytes, at: int, *, serving: bool) -> int | None:
    """Return where the next line of interest begins, at or after `at`; None when there is none.

    `lines` begins with a newline, `at` is the begin of a line.
    """
    pattern = _SERVING if serving else _STARTING
    while (found := pattern.search(lines, at - 1)) is not None:
        begin = max(lines.rfind(b"\n", at - 1, found.start() + 1) + 1, at)
        end = lines.find(b"\n", begin)
        if end < 0:
            return None
        if end - begin <= LINE_LIMIT or pattern.search(b"\n" + clip(lines[begin:end])):
            return begin
        at = end + 1                    # the interesting words stand in the part of a giant line that is not kept
    return None
