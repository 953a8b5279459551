"""Turns the agent's zipapp into the ConfigMap that pods mount.

Pure; one of render's builders. Immutable: another agent is another name, so a running pod never sees its file change.
"""

import base64
from typing import Any

from deepseekserve import names


def config_map(owner: names.Owner, name: str, agent: bytes) -> dict[str, Any]:
    """Render the agent's ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": names.child_metadata(owner, name),
        "immutable": True,
        "binaryData": {names.AGENT_FILE: base64.b64encode(agent).decode("ascii")},
    }
