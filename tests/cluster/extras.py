"""Equips a cluster beyond plain Kubernetes, the same on both providers: GPUs that are not there, nodes made of air."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.commands import run
from tests.cluster.errors import ClusterError

KWOK = "kwok"                    # name of its process
GPU = "nvidia.com/gpu"
FAKE = "kwok.x-k8s.io/node"      # annotation that kwok looks for; also the taint's key

Object = dict[str, Any]


def advertise_gpus(kubectl: Sequence[str], node: str, count: int) -> None:
    """Have the node offer `count` GPUs. The kubelet keeps it until it restarts, so every `up` says it again."""
    key = GPU.replace("/", "~1")
    shown = json.loads(run([*kubectl, "get", "node", node, "--output=json"]))["status"]
    if shown["allocatable"].get(GPU, "0") == str(count):
        return
    places = (f"/status/capacity/{key}", f"/status/allocatable/{key}")
    change = [{"op": "add", "path": place, "value": str(count)} for place in places]
    run([*kubectl, "patch", "node", node, "--subresource=status", "--type=json", "--patch", json.dumps(change)])


def add_fake_nodes(kubectl: Sequence[str], file: Path) -> list[str]:
    """Create or update the Node objects of a file as nodes made of air; returns their names."""
    dry_run = ("create", "--dry-run=client", "--output=json", f"--filename={file.absolute()}")
    nodes = [as_fake(node) for node in _objects(run([*kubectl, *dry_run]))]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes})
    run([*kubectl, "apply", "--server-side", "--force-conflicts", "--filename=-"], stdin=text)
    run([*kubectl, "apply", "--server-side", "--force-conflicts", "--subresource=status", "--filename=-"], stdin=text)
    return [n["metadata"]["name"] for n in nodes]


def as_fake(node: Mapping[str, Any]) -> Object:
    """A Node marked for kwok, tainted so that no real pod lands on it, all its capacity allocatable."""
    if node.get("kind") != "Node":
        raise ClusterError(f"--kwok: expected objects of kind Node, found {node.get('kind')}")
    metadata, spec, status = ({**node.get(part, {})} for part in ("metadata", "spec", "status"))
    metadata["annotations"] = {**metadata.get("annotations", {}), FAKE: "fake"}
    metadata["labels"] = {"kubernetes.io/hostname": metadata["name"], "type": "kwok", **metadata.get("labels", {})}
    taints = [t for t in spec.get("taints", []) if t.get("key") != FAKE]
    spec["taints"] = [*taints, {"key": FAKE, "value": "fake", "effect": "NoSchedule"}]
    status.setdefault("capacity", {"cpu": "32", "memory": "256Gi", "pods": "110"})
    status.setdefault("allocatable", status["capacity"])
    kept = {key: metadata[key] for key in ("name", "annotations", "labels")}
    return {"apiVersion": "v1", "kind": "Node", "metadata": kept, "spec": spec, "status": status}


def kwok_command(kwok: Path, kubeconfig: Path) -> list[str]:
    """The kwok process, which plays the kubelet of the marked nodes and of no other."""
    return [
        str(kwok), f"--kubeconfig={kubeconfig}", "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={FAKE}=fake",
    ]


def _objects(text: str) -> Iterator[Object]:
    """The objects that kubectl printed, one after another."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        found, end = decoder.raw_decode(text)
        text = text[end:]
        yield from found.get("items", [found])
