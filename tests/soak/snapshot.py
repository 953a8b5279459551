"""Everything that there is at the end, without what differs between any two runs: uids, versions, times, addresses."""

from collections import Counter
from typing import Any

from deepseekserve import names
from deepseekserve.kube import Kind, Object
from deepseekserve.kube.kinds import PODS, SERVES, UNWATCHED_CHILDREN, WATCHED_CHILDREN
from tests.soak.client import Client
from tests.soak.history import REPLICA_SETS

CHILDREN = tuple(kind for kind in (*WATCHED_CHILDREN, *UNWATCHED_CHILDREN) if kind is not PODS)
_OF_ONE_RUN = frozenset({
    "uid", "resourceVersion", "creationTimestamp", "managedFields", "lastTransitionTime", "at", "clusterIP",
    "clusterIPs", "deployment.kubernetes.io/revision", names.ANNOTATION_TOOK,
})


def snapshot(client: Client) -> dict[str, Any]:
    """All resources and children by kind and name, and the revisions of each resource's pods."""
    found = {f"{kind.kind}/{o['metadata']['name']}": _normal(kind, o) for kind, o in _all(client, (SERVES, *CHILDREN))}
    pods = Counter(
        f"{pod['metadata']['labels'][names.LABEL_NAME]} at {pod['metadata']['labels'][names.LABEL_REVISION]}"
        for pod in client.list(PODS, selector=names.LABEL_NAME)
    )
    return {**found, "pods": dict(sorted(pods.items()))}


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Where two snapshots differ, in words."""
    return [
        f"{key}: {one.get(key, 'missing')} <> {other.get(key, 'missing')}"
        for key in sorted({*one, *other}) if one.get(key) != other.get(key)
    ]


def orphans(client: Client) -> list[str]:
    """Everything with our label whose owner does not live."""
    kinds = (*CHILDREN, REPLICA_SETS, PODS)
    found = list(_all(client, (SERVES, *kinds)))
    alive = {o["metadata"]["uid"] for _, o in found}
    return [
        f"{kind.kind}/{o['metadata']['name']}" for kind, o in found
        if kind is not SERVES and not any(r["uid"] in alive for r in o["metadata"].get("ownerReferences", []))
    ]


def _all(client: Client, kinds: tuple[Kind, ...]) -> list[tuple[Kind, Object]]:
    return [
        (kind, obj) for kind in kinds for obj in client.list(kind, selector="" if kind is SERVES else names.LABEL_NAME)
    ]


def _normal(kind: Kind, obj: Object) -> Any:
    kept = _without(obj, _OF_ONE_RUN)
    if not kept["metadata"].get("annotations"):
        kept["metadata"].pop("annotations", None)
    if kind is not SERVES:                   # how often a child was written, and what its own controller says
        kept.pop("status", None)
        kept["metadata"].pop("generation", None)
    return kept


def _without(value: Any, keys: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, keys) for key, item in value.items() if key not in keys}
    return [_without(item, keys) for item in value] if isinstance(value, list) else value
