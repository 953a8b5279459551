"""Turns method calls into requests to the API server, and its answers into raw dicts or typed errors.

The only package that knows the Kubernetes client; observe, apply, leader and reconcile speak to the cluster through it.
"""

from deepseekserve.kube.client import Kube, connect
from deepseekserve.kube.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    KubeError,
    NamespaceTerminating,
    NotFound,
    TooManyRequests,
    Unreachable,
)
from deepseekserve.kube.kinds import Key, Kind, Listing, Object, key_of

__all__ = [
    "AlreadyExists", "BadRequest", "Conflict", "Forbidden", "Gone", "Invalid", "Key", "Kind", "Kube", "KubeError",
    "Listing", "NamespaceTerminating", "NotFound", "Object", "TooManyRequests", "Unreachable", "connect", "key_of",
]
