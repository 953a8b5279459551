"""Turns a resource's name into the names, labels and keys of everything that belongs to it.

Pure; every module that renders, lists or writes an object takes its names from here.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

GROUP = "deepseekserve.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "DeepSeekServe"
PLURAL = "deepseekserves"
SINGULAR = "deepseekserve"
SHORT_NAME = "dss"

FIELD_MANAGER = "deepseekserve-operator"
LEASE_NAME = "deepseekserve-operator"

LABEL_NAME = f"{GROUP}/name"              # the resource's name; on every child and pod
LABEL_REVISION = f"{GROUP}/revision"      # the revision's hash; on pods and ControllerRevisions
LABEL_GOOD = f"{GROUP}/good"              # "true" on a ControllerRevision that has served
LABEL_READS = f"{GROUP}/reads"            # the resource's name; on pods that read its model, which no Service selects
LABEL_OF_JOB = "batch.kubernetes.io/controller-uid"        # on a Job's pods, by the Job controller since 1.27
CHILD_SELECTOR = LABEL_NAME               # server-side watch and list selector of every child kind
ANNOTATION_TOOK = f"{GROUP}/took"         # on a ControllerRevision: how long the phases of its last start took
ANNOTATION_READ = f"{GROUP}/read"         # on a ControllerRevision: what was read of the model before it was made
ANNOTATION_RESTARTED_AT = f"{GROUP}/restarted-at"          # on pods: spec.restartedAt

ENGINE_CONTAINER = "engine"
READER_CONTAINER = "reader"
TERMINATION_LOG = "/dev/termination-log"
ENGINE_PORT = 8000
ENGINE_PORT_NAME = "http"
AGENT_PORT = 9800
AGENT_PORT_NAME = "agent"
AGENT_MOUNT = "/deepseekserve"
AGENT_FILE = "agent.pyz"
AGENT_VOLUME = "agent"
MODEL_MOUNT = "/models"
CACHE_MOUNT = "/cache"
TMP_MOUNT = "/tmp"                        # noqa: S108 - a path in the pod, where it is an emptyDir
SHM_MOUNT = "/dev/shm"                    # noqa: S108 - likewise


class Owner(Protocol):
    """What a child must know of the resource that it belongs to: its metadata."""

    @property
    def name(self) -> str:
        """The resource's name."""

    @property
    def namespace(self) -> str:
        """Its namespace, in which all children are."""

    @property
    def uid(self) -> str:
        """Its uid: a resource of the same name that is made again is another owner."""


def child_metadata(owner: Owner, name: str) -> dict[str, Any]:
    """Describe the child `name`: our labels, and the owner that garbage collection follows."""
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": labels(owner.name),
        "ownerReferences": [{
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": owner.name,
            "uid": owner.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }],
    }


def labels(name: str) -> dict[str, str]:
    """Labels of every child of the resource `name`; a resource's own labels are never copied."""
    return {LABEL_NAME: name}


def reader_job(owner: Owner, spec_hash: str) -> str:
    """Name of the Job that reads the model for one spec of one resource; it is a label too: at most 63 characters."""
    mark = hashlib.sha256(f"{owner.uid}/{spec_hash}".encode()).hexdigest()[:10]
    return f"{owner.name[:46].rstrip('-')}-read-{mark}"


def revision_name(name: str, revision_hash: str) -> str:
    """Name of the ControllerRevision that keeps one pod template."""
    return f"{name}-{revision_hash}"


def agent_config_map(name: str, agent_hash: str) -> str:
    """Name of the immutable ConfigMap that carries the agent's zipapp."""
    return f"{name}-agent-{agent_hash}"


def service_url(name: str, namespace: str) -> str:
    """Base URL for OpenAI clients inside the cluster."""
    return f"http://{name}.{namespace}.svc:{ENGINE_PORT}/v1"


def is_ours(metadata: Mapping[str, object], owner_uid: str) -> bool:
    """Tell whether the resource with `owner_uid` controls the object with this metadata."""
    owners = metadata.get("ownerReferences") or ()
    return isinstance(owners, list) and any(
        isinstance(owner, Mapping) and owner.get("controller") is True and owner.get("uid") == owner_uid
        for owner in owners
    )
