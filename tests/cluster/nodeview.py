"""Looks at a node through the API server, and tells what it says now from what it said before its last start.

After a restart the API server goes on showing yesterday's Ready, of the node and its pods, until the kubelet speaks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.cluster.health import ApiServer

Object = Mapping[str, Any]


@dataclass(frozen=True)
class NodeView:
    """The node `name`, which started at `since` (seconds of wall clock)."""

    api: ApiServer
    name: str
    since: float

    def node_is_ready(self) -> bool:
        """The kubelet has reported Ready since the node's start."""
        node = self._get(f"/api/v1/nodes/{self.name}")
        return is_true(node, "Ready", since=self.since)

    def stale_pods(self) -> list[str]:
        """The pods that are shown as ready only because nobody has said otherwise since the node's start."""
        listed = self._get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{self.name}").get("items", [])
        return [p["metadata"]["name"] for p in listed if is_stale(p, since=self.since)]

    def _get(self, path: str) -> Object:
        body = self.api.get(path)
        answer: Object = json.loads(body) if body else {}
        return answer


def is_true(node: Object, condition: str, *, since: float) -> bool:
    """The condition is True by a heartbeat that is not older than `since`."""
    return any(
        c["type"] == condition and c["status"] == "True" and _seconds(c["lastHeartbeatTime"]) >= int(since)
        for c in node.get("status", {}).get("conditions", [])
    )


def is_ready(pod: Object) -> bool:
    """All of the pod's containers are ready, or have done their work."""
    status = pod.get("status", {})
    conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
    return status.get("phase") == "Succeeded" or conditions.get("Ready") == "True"


def is_stale(pod: Object, *, since: float) -> bool:
    """The pod is called ready, and one of its containers is said to run since before `since`."""
    containers = pod.get("status", {}).get("containerStatuses", [])
    runs_since = [c.get("state", {}).get("running", {}).get("startedAt") for c in containers if c.get("ready")]
    return any(started and _seconds(started) < int(since) for started in runs_since)


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
