"""Turns nothing into anything: what a failure is, wherever it was found.

Pure; agents' reports carry findings, the checks of diagnose make them, status writes one down.
"""

from dataclasses import dataclass

from deepseekserve.agent.fixes import Fix
from deepseekserve.agent.reasons import Reason

__all__ = ["Finding", "Fix"]


@dataclass(frozen=True)
class Finding:
    """Why the current revision does not serve, in words for its owner, and what to do about it."""

    reason: Reason
    message: str
    remedy: str = ""
    fixes: tuple[Fix, ...] = ()
    pod: str = ""
    at: str = ""                  # RFC 3339; empty: when it was first written down
    log_excerpt: str = ""
