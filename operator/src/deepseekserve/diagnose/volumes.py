"""Turns what Events say of a pod's volumes into a finding: in use elsewhere, not attached, not mounted, not there.

Pure; one of the later checks of diagnose. The wordings are those of the kubelet and of the attach-detach controller.
"""

import re
from collections.abc import Iterator

from deepseekserve.agent.reasons import Reason
from deepseekserve.diagnose.containers import absence
from deepseekserve.diagnose.scheduling import GRACE_S
from deepseekserve.facts import Facts, Finding, PodFacts, Trouble
from deepseekserve.facts.events import FAILED_ATTACH
from deepseekserve.facts.moments import seconds_since

_IN_USE = re.compile(r"Multi-Attach error|already (?:used by|exclusively attached)")
_VOLUME = re.compile(r'for volume "(?P<name>[^"]+)"|unmounted volumes=\[(?P<names>[^\]]+)\]')
_USED_BY = re.compile(r"Volume is already used by pod\(s\) (?P<pods>.+)$")


def volume_cannot_be_mounted(facts: Facts) -> Finding | None:
    """The kubelet cannot mount a volume of the pod: its Events say so, and nothing that comes after it has begun."""
    for pod, trouble in _troubles(facts):
        volume = _VOLUME.search(trouble.message)
        name = (volume["name"] or volume["names"]) if volume else ""
        problem = f"The kubelet cannot mount the volume {name}" if name else "The kubelet cannot mount a volume"
        # A storage driver has Secrets of its own, in other namespaces.
        is_made_of_one = any(each.volume == name for each in pod.asks.references if name)
        return (absence(pod, trouble.message, problem) if is_made_of_one else None) or Finding(
            reason=Reason.VOLUME_MOUNT_FAILED,
            message=f"{problem}{_used(trouble)}: {trouble.message}",
            remedy=_remedy(pod, name, trouble),
            pod=pod.name,
            at=trouble.since,
        )
    return None


def _troubles(facts: Facts) -> Iterator[tuple[PodFacts, Trouble]]:
    is_making_room = any(pod.deleting for pod in facts.pods)          # its volumes are detached when it is gone
    for pod in facts.starting:
        trouble = pod.unmounted
        if trouble is None or (is_making_room and trouble.reason == FAILED_ATTACH):
            continue
        if (seconds_since(trouble.since, facts.now) or 0) >= GRACE_S:
            yield pod, trouble


def is_held_elsewhere(trouble: Trouble) -> bool:
    """Tell whether a volume cannot be attached because it is, to another node."""
    return _IN_USE.search(trouble.message) is not None


def _used(trouble: Trouble) -> str:
    if not is_held_elsewhere(trouble):
        return ""
    users = _USED_BY.search(trouble.message)
    return f", which {'the pod ' + users['pods'] if users else 'another node'} uses"


def _remedy(pod: PodFacts, name: str, trouble: Trouble) -> str:
    """The kubelet calls a claim's volume by the pod's name for it, or by the PersistentVolume's, which is in no pod."""
    known = dict(pod.asks.volumes)
    if name in pod.asks.built_in:
        return (f"Look at the node's kubelet, which makes the volume {name} itself, and at its way to the API server; "
                "it tries again by itself.")
    if name in known and not known[name]:
        return (f"Correct the volume {name} in spec.podTemplate, or mend what it names, on the node or at its server; "
                "the kubelet tries again by itself.")
    claims = known.get(name) or " or ".join(pod.asks.claims) or "of spec.podTemplate"
    if is_held_elsewhere(trouble):
        return ("Wait until the other pod is gone (kubectl get volumeattachments shows a node that was lost), or give "
                f"the claim {claims} the access mode ReadOnlyMany or ReadWriteMany, so that several nodes may use it.")
    if trouble.reason == FAILED_ATTACH:
        return (f"Look at the volume of the claim {claims} and at its storage driver's controller, which tries again "
                "by itself.")
    return (f"Look at the volume of the claim {claims}, at the way from the node to its server, and at the storage "
            "driver on the node; the kubelet tries again by itself.")
