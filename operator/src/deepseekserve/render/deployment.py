"""Turns a stored pod template into the Deployment that runs it.

Pure; one of render's builders. The template is a revision's, only labelled here; all around it is rendered afresh.
"""

import copy
from collections.abc import Mapping
from typing import Any

from deepseekserve import names

NEVER = 2**31 - 1          # seconds; the agent ends stalled starts, and 600 would call a long healthy one failed
OLD_REPLICA_SETS = 1       # roll-back is applying an older revision, not `kubectl rollout undo`


def deployment(
    owner: names.Owner, workload: Mapping[str, Any], revision_hash: str, *, replicas: int, first_less: bool,
) -> dict[str, Any]:
    """Render the Deployment of one workload of a revision."""
    template = copy.deepcopy(dict(workload["template"]))
    template["metadata"]["labels"] = {**template["metadata"]["labels"], names.LABEL_REVISION: revision_hash}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": names.child_metadata(owner, workload["name"]),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": OLD_REPLICA_SETS,
            "progressDeadlineSeconds": NEVER,
            "strategy": _strategy(template["spec"], first_less=first_less),
            "selector": {"matchLabels": names.labels(owner.name)},
            "template": template,
        },
    }


def _strategy(pod: Mapping[str, Any], *, first_less: bool) -> dict[str, Any]:
    """Recreate where GPUs are asked for, as there may be none for a second pod; else one more pod before one less.

    With `first_less` all may go that are not ready, which is what the Deployment's controller takes first.
    """
    if any(_asks_for_devices(container) for container in pod["containers"]):
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "100%" if first_less else 0}}


def _asks_for_devices(container: Mapping[str, Any]) -> bool:
    """Tell whether a limit is on an extended resource: only their names have a domain."""
    return any("/" in resource for resource in container.get("resources", {}).get("limits", {}))
