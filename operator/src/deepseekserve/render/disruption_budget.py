"""Turns a resource into its PodDisruptionBudget: a drained node takes one serving pod at a time.

Pure; one of render's builders. A pod that does not serve may always be evicted: it would block the drain for nothing.
"""

from typing import Any

from deepseekserve import names


def disruption_budget(owner: names.Owner) -> dict[str, Any]:
    """Render the PodDisruptionBudget."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": names.child_metadata(owner, owner.name),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": names.labels(owner.name)},
        },
    }
