"""Turns a resource into the ServiceAccount of its pods, which has no rights and whose token is not mounted.

Pure; one of render's builders. Pull secrets that an administrator adds to it are left alone.
"""

from typing import Any

from deepseekserve import names


def service_account(owner: names.Owner) -> dict[str, Any]:
    """Render the ServiceAccount."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": names.child_metadata(owner, owner.name),
        "automountServiceAccountToken": False,
    }
