"""Turns method calls into requests to the API server, and its answers into raw dicts or typed errors.

The only package that knows the Kubernetes client; observe, apply, leader and reconcile speak to the cluster through it.
"""

from deepseekserve.kube.client import Kube, connect
from deepseekserve.kube.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    KubeError,
    NamespaceTerminating,
    NotFound,
    TooManyRequests,
    Unreachable,
)
from deepseekserve.kube.kinds import Key, Kind, Object, key_of

__all__ = [
    "AlreadyExists", "BadRequest", "Conflict", "Forbidden", "Invalid", "Key", "Kind", "Kube", "KubeError",
    "NamespaceTerminating", "NotFound", "Object", "TooManyRequests", "Unreachable", "connect", "key_of",
]
