"""Turns a resource into the Service that OpenAI clients talk to.

Pure; one of render's builders. It selects the pods of every revision: a ready one serves, whichever it is of.
"""

from typing import Any

from deepseekserve import names


def service(owner: names.Owner) -> dict[str, Any]:
    """Render the Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": names.child_metadata(owner, owner.name),
        "spec": {
            "selector": names.labels(owner.name),
            "ports": [{
                "name": names.ENGINE_PORT_NAME,
                "port": names.ENGINE_PORT,
                "targetPort": names.ENGINE_PORT_NAME,
                "protocol": "TCP",
            }],
        },
    }
