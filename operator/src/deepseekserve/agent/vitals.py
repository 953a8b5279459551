"""Turns the engine's metrics page and its processes into the verdict whether a serving engine still works.

Pure: `prober` reads the page, `supervisor` the processes, and `unresponsive` judges what both have seen:
* nothing answers HTTP for 30 s, or only errors do: dead, however busy it may be;
* HTTP answers, but work waits and no token, cache block or request has moved for 30 s: dead if its processes are
  stopped or do not compute; while they do compute (one long prefill on a CPU shows nothing for minutes) it gets the
  stall budget instead;
* completions are answered, but none has succeeded for 30 s, and no token has come for anybody: the same two budgets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from deepseekserve.agent.processes import Process

_QUEUED = ("vllm:num_requests_running", "vllm:num_requests_waiting")
_TOKENS = "vllm:generation_tokens_total"
_MOVING = (
    *_QUEUED, "vllm:prompt_tokens_total", _TOKENS, "vllm:iteration_tokens_total_count",
    "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "vllm:num_preemptions_total",
)
IDLE_CPU_SHARE = 0.1           # engine processes that together use less of one core than this do not compute
_SLEEP = "vllm:engine_sleep_state"


@dataclass(frozen=True)
class Load:
    """What one metrics page says: requests running and waiting, a mark that moves with work, tokens, sleep mode."""

    requests: float
    mark: tuple[float, ...]
    tokens: float
    asleep: bool


def read_load(page: str) -> Load | None:
    """Sum what counts over all engines of the page; None when the engine keeps no such statistics."""
    sums: dict[str, float] = {}
    asleep = False
    for line in page.splitlines():
        name = line.split("{", 1)[0].split(" ", 1)[0]
        if name == _SLEEP:
            asleep = asleep or ('sleep_state="awake"' in line and _value(line) == 0)
        elif name in _MOVING:
            sums[name] = sums.get(name, 0.0) + _value(line)
    if not any(name in sums for name in _QUEUED):
        return None
    mark = tuple(sums.get(name, 0.0) for name in _MOVING)
    return Load(sum(sums.get(name, 0.0) for name in _QUEUED), mark, sums.get(_TOKENS, 0.0), asleep)


def _value(sample: str) -> float:
    try:
        return float(sample.rsplit(" ", 1)[-1])
    except ValueError:
        return 0.0


@dataclass(frozen=True)
class Signs:
    """What is known of a serving engine at one moment; times are seconds of the agent's clock.

    `pending_since`: since when work has waited without a break (a request, or a canary); None when there is none.
    `proof_at`: when a sign of work was last seen. `refused_since`: since when each completion has been answered with a
    `complaint`, and no token has come for anybody. `cpu_share`: cores used by its processes since then, None unknown.
    """

    answered_at: float
    failing_since: float | None
    pending_since: float | None
    proof_at: float
    stopped: bool
    cpu_share: float | None
    asleep: bool
    refused_since: float | None = None
    complaint: str = ""


def unresponsive(signs: Signs, now: float, patience_s: float, stall_s: float) -> str | None:
    """Say what an engine has failed to do for at least `patience_s`, in words for the status; None for a living one."""
    mute = now - signs.answered_at
    if mute >= patience_s:
        return f"the engine has answered no HTTP request for {mute:.0f} seconds"
    if signs.failing_since is not None and now - signs.failing_since >= patience_s:
        return f"the engine's health check has failed for {now - signs.failing_since:.0f} seconds"
    return None if signs.asleep else _motionless(signs, now, patience_s, stall_s)


def _motionless(signs: Signs, now: float, patience_s: float, stall_s: float) -> str | None:
    """Judge an engine that answers, by what its work does."""
    waiting = 0.0 if signs.pending_since is None else now - max(signs.pending_since, signs.proof_at)
    refused = 0.0 if signs.refused_since is None else now - signs.refused_since
    if max(waiting, refused) < patience_s:
        return None
    said = (f"requests have waited for {waiting:.0f} seconds without a single token" if waiting >= refused else
            f"no completion has succeeded for {refused:.0f} seconds ({signs.complaint})")
    if signs.stopped:
        return f"{said}: a process of the engine is stopped (SIGSTOP)"
    if signs.cpu_share is not None and signs.cpu_share < IDLE_CPU_SHARE:
        return f"{said}, and the engine's processes do not compute"
    return f"{said}, although the engine computes" if max(waiting, refused) >= max(stall_s, patience_s) else None


def is_stopped(processes: Sequence[Process]) -> bool:
    """Tell whether any process is stopped by a signal."""
    return any(p.state == "T" for p in processes)


def cpu_seconds(processes: Sequence[Process]) -> float | None:
    """Sum the CPU time of the processes; None while one waits for a device, which looks idle and is not."""
    if any(p.state == "D" for p in processes):
        return None
    return sum(p.cpu_s for p in processes)
