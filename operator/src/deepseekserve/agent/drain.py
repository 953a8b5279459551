"""Turns the queue's length over time into the moment at which the engine may be told to end.

Pure; `supervisor` asks at every tick between a requested stop and the engine's SIGTERM. Meanwhile the pod is unready
but answers: whoever still finds it in a list of endpoints gets an answer.
"""

from dataclasses import dataclass, replace

from deepseekserve.agent.limits import Limits


@dataclass(frozen=True)
class Drain:
    """A lame duck: since when, for how many seconds at most, and since when nothing has run or waited."""

    since: float
    budget_s: float
    quiet_since: float | None = None

    def observe(self, requests: float | None, now: float) -> "Drain":
        """Note how many requests run and wait; None, when it cannot be known, counts as some."""
        if requests != 0:
            return replace(self, quiet_since=None)
        return self if self.quiet_since is not None else replace(self, quiet_since=now)

    def is_over(self, now: float, limits: Limits) -> bool:
        """Tell whether the budget is used up, or the least time has passed and the queue has been empty for a while."""
        if now - self.since >= self.budget_s:
            return True
        quiet = self.quiet_since is not None and now - self.quiet_since >= limits.quiet_s
        return quiet and now - self.since >= limits.lame_duck_s
