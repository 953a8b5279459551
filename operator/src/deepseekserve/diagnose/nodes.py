"""Turns one reason of the scheduler into a Lack: what a node or the pod is short of, in plain words, and what to do.

Pure; the table of diagnose.scheduling. The wordings are those of kube-scheduler 1.20 to 1.34.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deepseekserve.facts import Asks


@dataclass(frozen=True)
class Lack:
    """A reason, as it follows "1 node" and "2 nodes", and what to do about it."""

    one: str
    many: str
    remedy: str
    alone: str = ""                 # what to do when a node is short of it with no other pod on it
    of_pod: bool = False            # no node is to blame: `one` is a whole clause


Making = Callable[[re.Match[str], Asks], Lack]

_TAINT = re.compile(r"node\(s\) had (?:untolerated )?taint \{(?P<key>[^:}]+): (?P<value>[^}]*)\}")


def lack_of(reason: str, asks: Asks) -> Lack | None:
    """What a reason means; None when no release is known to say it so."""
    found = ((pattern.search(reason), make) for pattern, make in _REASONS.items())
    return next((make(match, asks) for match, make in found if match), None)


def taint_of(reason: str) -> tuple[str, str] | None:
    """Key and value of the taint that a reason names; releases from 1.34 on name none."""
    match = _TAINT.search(reason)
    return (match["key"], match["value"]) if match else None


def toleration_of(key: str, value: str) -> Mapping[str, str]:
    """What lets a pod run in spite of a taint."""
    return {"key": key, "operator": "Equal", "value": value} if value else {"key": key, "operator": "Exists"}


def _fixed(one: str, many: str, remedy: str) -> Making:
    return lambda _match, _asks: Lack(one, many, remedy)


def _of_claims(sentence: str, remedy: str, *, of_pod: bool = True) -> Making:
    """A reason that lies in the claims: the one that is named, or those that the pod has."""
    def make(match: re.Match[str], asks: Asks) -> Lack:
        words = {"claim": f"the claim {' or '.join(asks.claims) or 'of the pod'}", **match.groupdict()}
        text = sentence.format(**words)
        return Lack(text, text, remedy.format(**words), of_pod=of_pod)
    return make


def _insufficient(match: re.Match[str], asks: Asks) -> Lack:
    name = match["name"]
    amount = dict(asks.amounts).get(name, "")
    few = f"too {'little' if name in _UNCOUNTED else 'few'} {name} free"
    lower = f"Lower {_FIELDS.get(name, 'spec.resources.gpu.count' if '/' in name else 'spec.podTemplate')}"
    add = f"add a node with {f'{amount} {name}' if amount else f'more {name}'}"
    return Lack(f"has {few}", f"have {few}", f"{lower}, stop what else uses {name} on a node, or {add} free.",
                alone=f"{lower}, or {add}.")


def _taint(match: re.Match[str], _asks: Asks) -> Lack:
    key, value = match["key"], match["value"]
    if key in _STATES:
        return _STATES[key]
    shown = f"{key}={value}" if value else key
    said = f"the untolerated taint {shown}"
    toleration = json.dumps(toleration_of(key, value))          # to YAML a bare true, yes or 1 is no string
    remedy = f"Add {toleration} to spec.scheduling.tolerations, if the engine may run there."
    return Lack(f"has {said}", f"have {said}", remedy)


_UNCOUNTED = frozenset({"cpu", "memory", "ephemeral-storage"})
_FIELDS = {"cpu": "spec.resources.cpu", "memory": "spec.resources.memory"}
_CORDONED = Lack("is cordoned", "are cordoned", "Let it take pods again: kubectl uncordon NODE.")
_NOT_READY = Lack("is not ready", "are not ready", "Bring the node back (kubectl describe node tells why it is not "
                  "ready).")
_RESERVED = Lack("is kept for the control plane", "are kept for the control plane", "Add a node for other pods.")
_STATES: Mapping[str, Lack] = {
    "node-role.kubernetes.io/control-plane": _RESERVED,
    "node-role.kubernetes.io/master": _RESERVED,
    "node.kubernetes.io/not-ready": _NOT_READY,
    "node.kubernetes.io/network-unavailable": _NOT_READY,
    "node.kubernetes.io/unreachable": Lack("does not answer", "do not answer", "Bring the node back, or remove it."),
    "node.kubernetes.io/unschedulable": _CORDONED,
    "node.kubernetes.io/disk-pressure": Lack(
        "has hardly any disk left", "have hardly any disk left", "Make room on the node's disk."),
    "node.kubernetes.io/memory-pressure": Lack(
        "has hardly any memory left", "have hardly any memory left", "Stop what takes the node's memory."),
}
_MODEL = "spec.model.source (pvc://CLAIM/PATH)"
_PLACE = "Correct spec.scheduling.nodeSelector or affinity so that a node matches, or label a node so."
_TOLERATE = ("Add the taint (kubectl describe node shows it) to spec.scheduling.tolerations, if the engine may run "
             "there.")

_REASONS: Mapping[re.Pattern[str], Making] = {re.compile(pattern): make for pattern, make in {
    r"^Insufficient (?P<name>\S+)$": _insufficient,
    _TAINT.pattern: _taint,
    r"^node\(s\) had (?:untolerated taint\(s\)|taints that the pod didn't tolerate)": _fixed(
        "has an untolerated taint", "have untolerated taints", _TOLERATE),
    r"^node\(s\) were unschedulable": lambda _match, _asks: _CORDONED,
    r"^node\(s\) didn't match (?:Pod's )?node (?:affinity|selector)": _fixed(
        "does not match spec.scheduling.nodeSelector or affinity",
        "do not match spec.scheduling.nodeSelector or affinity", _PLACE),
    r"^Too many pods$": _fixed(
        "has as many pods as it may", "have as many pods as they may", "Remove pods from a node, or add a node."),
    r"^node\(s\) didn't have free ports": _fixed(
        "has a host port in use that the pod wants", "have a host port in use that the pod wants",
        "Remove hostPort from spec.podTemplate, or lower spec.replicas to one for each node."),
    r"^node\(s\) didn't match pod topology spread constraints": _fixed(
        "would break spec.scheduling.topologySpreadConstraints",
        "would break spec.scheduling.topologySpreadConstraints",
        "Set whenUnsatisfiable: ScheduleAnyway in spec.scheduling.topologySpreadConstraints, or raise its maxSkew."),
    r"^node\(s\) didn't (?:match|satisfy) (?:existing )?pods? (?:anti-)?affinity": _fixed(
        "has neighbours that an affinity rules out", "have neighbours that an affinity rules out",
        "Correct podAffinity or podAntiAffinity in spec.scheduling.affinity, or that of the other pods."),
    r"^node\(s\) (?:had volume node affinity conflict|didn't match PersistentVolume's node affinity)": _fixed(
        "cannot reach the volume of the model's claim", "cannot reach the volume of the model's claim",
        "Free a node in the place (zone or host) where the volume is, or copy the model to a claim that these nodes "
        "reach, and name it in spec.model.source."),
    r"^node\(s\) didn't find available persistent volumes to bind": _of_claims(
        "cannot give {claim} a volume", "Make a PersistentVolume for {claim}, or correct its storageClassName.",
        of_pod=False),
    r"ReadWriteOncePod access mode already in-use": _of_claims(
        "cannot have {claim}, which another pod uses and no two pods may (ReadWriteOncePod)",
        "Give {claim} the access mode ReadOnlyMany or ReadWriteMany, or set spec.replicas to 1.",
        of_pod=False),
    r"^pod has unbound immediate PersistentVolumeClaims": _of_claims(
        "{claim} has no volume yet",
        "See why with kubectl describe pvc: most often its storageClassName names no storage class, or that class's "
        "provisioner does not work."),
    r'persistentvolumeclaim "(?P<name>[^"]+)" not found': _of_claims(
        "the claim {name} does not exist",
        f"Create the claim {{name}} in the resource's namespace, or correct {_MODEL}."),
    r'persistentvolumeclaim "(?P<name>[^"]+)" is being deleted': _of_claims(
        "the claim {name} is being deleted", f"Name another claim in {_MODEL}, or make it again once it is gone."),
    r'persistentvolumeclaim "(?P<name>[^"]+)" bound to non-existent persistentvolume "(?P<volume>[^"]*)"': _of_claims(
        "the volume {volume} of the claim {name} does not exist any more", "Make the claim {name} again."),
    r"^no nodes available to schedule pods": _of_claims("the cluster has no node", "Add a node."),
}.items()}
