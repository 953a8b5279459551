"""Turns Facts into a Finding: why the current revision does not serve. None when nothing speaks against it.

Pure; stands between observe and status. An ordered list of small checks, the first that finds something wins: what the
engine itself says comes before what Kubernetes says of its pod. `progress` tells how far a start has come.
"""

from collections.abc import Callable, Sequence

from deepseekserve.diagnose.arguments import whole
from deepseekserve.diagnose.engine import engine_ended, engine_reports_failure
from deepseekserve.diagnose.kubernetes import (
    GRACE_S,
    container_cannot_be_made,
    image_cannot_be_pulled,
    neighbour_fails,
    node_is_lost,
    pod_is_refused,
    pod_was_evicted,
    unschedulable,
)
from deepseekserve.diagnose.progress import Progress, progress
from deepseekserve.facts import Facts, Finding

__all__ = ["CHECKS", "GRACE_S", "Progress", "diagnose", "progress"]

CHECKS: tuple[Callable[[Facts], Finding | None], ...] = (
    engine_reports_failure,
    engine_ended,
    container_cannot_be_made,
    image_cannot_be_pulled,
    neighbour_fails,
    pod_is_refused,
    unschedulable,
    node_is_lost,
    pod_was_evicted,
)


def diagnose(facts: Facts, extra_args: Sequence[str] = ()) -> Finding | None:
    """The finding of the first check that has one; `extra_args` are spec.engine.extraArgs, for its fixes."""
    return next((whole(finding, extra_args) for check in CHECKS if (finding := check(facts))), None)
