"""Turns the last lines of an engine whose agent was killed into a finding, by the agent's own reader.

Pure; part of diagnose. The kubelet kept at most 80 lines or 2,048 bytes of it (FallbackToLogsOnError).
"""

from deepseekserve.agent.diagnosis import ExitInfo, LogReader
from deepseekserve.agent.reasons import Reason
from deepseekserve.facts import Ended, Finding

_SIGNALLED = 128


def read_tail(ended: Ended) -> Finding:
    """Say why a container ended whose agent left no report; Unknown with the code when its last lines do not say."""
    reader = LogReader()
    reader.feed(ended.message.encode(), 0.0)
    number = ended.code - _SIGNALLED if ended.code > _SIGNALLED else None
    failure = reader.failure(ExitInfo(code=ended.code, signal=number)) or reader.explain(Reason.UNKNOWN)
    return Finding(
        reason=failure.reason,
        message=failure.message,
        remedy=failure.remedy,
        fixes=failure.fixes,
        log_excerpt="\n".join(failure.lines),
    )
