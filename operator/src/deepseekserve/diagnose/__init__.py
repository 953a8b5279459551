"""Turns Facts into a Finding: why the current revision does not serve. None when nothing speaks against it.

Pure; stands between observe and status. An ordered list of small checks, the first that finds something wins: what the
engine itself says comes before what Kubernetes says of its pod. `progress` tells how far a start has come.
"""

from collections.abc import Callable, Sequence

from deepseekserve.diagnose.admission import pod_is_refused
from deepseekserve.diagnose.arguments import whole
from deepseekserve.diagnose.containers import container_cannot_be_made, neighbour_fails
from deepseekserve.diagnose.endings import node_is_lost, pod_was_evicted
from deepseekserve.diagnose.engine import engine_ended, engine_reports_failure
from deepseekserve.diagnose.images import image_cannot_be_pulled
from deepseekserve.diagnose.progress import Progress, progress
from deepseekserve.diagnose.scheduling import GRACE_S, unschedulable
from deepseekserve.diagnose.volumes import volume_cannot_be_mounted
from deepseekserve.facts import Facts, Finding

__all__ = ["CHECKS", "GRACE_S", "Progress", "diagnose", "progress"]

CHECKS: tuple[Callable[[Facts], Finding | None], ...] = (
    engine_reports_failure,
    engine_ended,
    container_cannot_be_made,
    image_cannot_be_pulled,
    volume_cannot_be_mounted,
    neighbour_fails,
    pod_is_refused,
    unschedulable,
    node_is_lost,
    pod_was_evicted,
)


def diagnose(facts: Facts, extra_args: Sequence[str] = ()) -> Finding | None:
    """The finding of the first check that has one; `extra_args` are spec.engine.extraArgs, for its fixes."""
    return next((whole(finding, extra_args) for check in CHECKS if (finding := check(facts))), None)
