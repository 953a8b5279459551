"""Turns the pod that reads a model into a Reading: what it found, or why there is nothing yet, or never will be.

Pure; one of the parsers of facts. A model that cannot be read is not known, which keeps nobody from starting an engine.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from deepseekserve import names
from deepseekserve.facts.checkpoints import DamagedSummary, parse_summary
from deepseekserve.facts.moments import seconds_since
from deepseekserve.reader.summary import Outcome, Summary, message, sentence

PATIENCE_S = 8.0               # with a pod that does not run
LONGEST_S = 60.0               # with one that runs, or whose image is on its way
_NO_POD = "the Job that reads the model has no pod: a quota or a policy may forbid it"
_ON_ITS_WAY = frozenset({"ContainerCreating", "PodInitializing", ""})


@dataclass(frozen=True)
class Reading:
    """What is known of a model by reading it; `why` says why not, in words for its owner."""

    summary: Summary | None = None
    message: str = ""                  # as it was read, to be kept
    why: str = ""
    waiting: bool = False

    @property
    def has_config(self) -> bool:
        """The model's config is known."""
        return self.summary is not None and self.summary.config is not None

    @property
    def text(self) -> str:
        """What is kept of it: the message, or why there is none in the form of one."""
        if self.message or self == UNREAD:
            return self.message
        return message(Summary(Outcome.UNREACHABLE, message=self.why)).decode()


UNREAD = Reading(why="models are not read: the operator's own image is not set (DSS_IMAGE)")


@lru_cache(maxsize=1024)
def kept_reading(text: str) -> Reading | None:
    """What was kept of a Reading; None where nothing was, or by a release that says it otherwise."""
    try:
        return Reading(parse_summary(text), text)
    except DamagedSummary:
        return None


def parse_reading(pods: Iterable[Mapping[str, Any]], began: str, now: datetime) -> Reading:
    """Read what the newest of these pods says; `began` is when the first of them was asked for (RFC 3339)."""
    newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)
    status = newest.get("status") or {} if newest else {}
    state = next((c.get("state") or {} for c in status.get("containerStatuses") or ()
                  if c.get("name") == names.READER_CONTAINER), {})
    if ended := state.get("terminated"):
        return _ended(ended)
    if status.get("phase") == "Failed":
        return Reading(why=f"the pod that reads the model has failed: {status.get('reason') or 'nobody says why'}")
    on_its_way, why = _standing(status, state) if newest else (False, _NO_POD)
    longest_s = LONGEST_S if on_its_way else PATIENCE_S
    is_over = (seconds_since(began, now) or 0.0) > longest_s
    return Reading(why=f"{why}; that was so for {longest_s:.0f} s" if is_over else why, waiting=not is_over)


def _ended(terminated: Mapping[str, Any]) -> Reading:
    said = str(terminated.get("message") or "")
    try:
        return Reading(parse_summary(said), said)
    except DamagedSummary as error:
        code = terminated.get("exitCode")
        return Reading(why=f"the pod that reads the model ended with exit code {code}: {error}")


def _standing(status: Mapping[str, Any], state: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether the pod is on its way, and where it stands."""
    if "running" in state:
        return True, "the model's files are being read"
    unscheduled = next((c for c in status.get("conditions") or ()
                        if c.get("type") == "PodScheduled" and c.get("status") == "False"), None)
    if unscheduled:
        return False, sentence(f"the pod that reads the model has no node: {unscheduled.get('message') or ''}")
    reason = str((state.get("waiting") or {}).get("reason") or "")
    if reason in _ON_ITS_WAY:
        return True, "the pod that reads the model is starting"
    return False, f"the pod that reads the model cannot start: {reason}"
