"""Turns a folder on a node into a static PersistentVolume and the claim bound to it; pure; no provisioner needed."""

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]


def static_volume(
    name: str, *, claim: str, namespace: str, node: str, path: str, size: str = "10Gi"
) -> list[Object]:
    """The volume `name` on `node` at `path` (made by `tests.cluster volume`), kept for one claim, and that claim."""
    shared: Mapping[str, Any] = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    on_the_node = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            **shared,
            "capacity": {"storage": size},
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": namespace, "name": claim},
            "hostPath": {"path": path, "type": "Directory"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [on_the_node]}},
        },
    }
    bound = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim, "namespace": namespace},
        "spec": {**shared, "volumeName": name, "resources": {"requests": {"storage": size}}},
    }
    return [volume, bound]
