"""Turns the kinds of objects that the operator touches into their paths on the API server.

Plain data, shared by everybody who lists, watches or writes.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from deepseekserve import names

Object = dict[str, Any]


class Key(NamedTuple):
    """Namespace and name of one object; of a DeepSeekServe, where nothing else is said."""

    namespace: str
    name: str


class Listing(NamedTuple):
    """Objects of one list, a page of it, and the resource version at which all of it was true."""

    objects: list[Object]
    version: str


@dataclass(frozen=True)
class Kind:
    """A kind as it is written in manifests, and the plural under which the API server finds it."""

    api_version: str
    kind: str
    plural: str
    metadata_only: bool = False       # nobody here reads more of one, so no more is asked for, or kept

    @property
    def group(self) -> str:
        """API group; empty for core/v1."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """Version within the group."""
        return self.api_version.rpartition("/")[2]

    @property
    def root(self) -> str:
        """Path of the group and version, where discovery answers."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Path of a collection (all namespaces when `namespace` is None), an object or its subresource."""
        parts = [self.root, f"namespaces/{namespace}" if namespace else "", self.plural, name or "", subresource or ""]
        return "/".join(part for part in parts if part)


SERVES = Kind(names.API_VERSION, names.KIND, names.PLURAL)
PODS = Kind("v1", "Pod", "pods")
SERVICES = Kind("v1", "Service", "services")
SERVICE_ACCOUNTS = Kind("v1", "ServiceAccount", "serviceaccounts")
CONFIG_MAPS = Kind("v1", "ConfigMap", "configmaps", metadata_only=True)
DEPLOYMENTS = Kind("apps/v1", "Deployment", "deployments")
REVISIONS = Kind("apps/v1", "ControllerRevision", "controllerrevisions")
DISRUPTION_BUDGETS = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
JOBS = Kind("batch/v1", "Job", "jobs", metadata_only=True)                   # neither watched nor listed
CLAIMS = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")       # somebody else's
LEASES = Kind("coordination.k8s.io/v1", "Lease", "leases")
EVENTS = Kind("events.k8s.io/v1", "Event", "events")

# Watched with the label selector; every event of one of them asks for a look at its resource.
WATCHED_CHILDREN = (PODS, DEPLOYMENTS, SERVICES, SERVICE_ACCOUNTS, DISRUPTION_BUDGETS)
# Children too, but listed on demand: they are written once per revision.
UNWATCHED_CHILDREN = (CONFIG_MAPS, REVISIONS)

BY_KIND = {k.kind: k for k in (SERVES, *WATCHED_CHILDREN, *UNWATCHED_CHILDREN)}


def version_number(version: str) -> int:
    """Resource versions of one kind can be compared as numbers (KEP-5504; etcd's revisions have always been)."""
    return int(version) if version.isdigit() else 0


def key_of(obj: Object) -> Key:
    """Namespace and name of an object as the API server returns it."""
    metadata = obj["metadata"]
    return Key(metadata["namespace"], metadata["name"])
