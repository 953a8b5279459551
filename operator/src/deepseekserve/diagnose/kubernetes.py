"""Turns what Kubernetes says of pods into findings: refused, unschedulable, no image, no Secret, evicted, node lost.

Pure; the later checks of diagnose. Kubernetes' own words are kept in the message; the remedy names our fields.
"""

import re
from collections.abc import Iterator, Mapping

from deepseekserve import names
from deepseekserve.agent.reasons import Reason
from deepseekserve.facts import Facts, Finding, PodFacts, Trouble
from deepseekserve.facts.moments import seconds_since

GRACE_S = 10           # a claim is being bound, or the last pod's GPU is being freed
EVICTION_SHOWN_S = 600

_IMAGE = frozenset({
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
    "RegistryUnavailable", "SignatureValidationFailed",
})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*":? ?')          # every other message while it waits
_REFUSED_POD = re.compile(r'^pods? "[^"]*" is forbidden: ')             # with the name of a pod that never was
_LIMITS = re.compile(r"(?:exceeded|failed) quota|(?:maximum|minimum) \S+ usage per|limit to request ratio")

_UNSCHEDULABLE_REMEDIES: Mapping[str, str] = {
    r"persistentvolumeclaim": "Create or correct the claim that spec.model.source names (pvc://CLAIM/PATH).",
    r"Insufficient memory": "Lower spec.resources.memory, or add a node with more.",
    r"Insufficient cpu": "Lower spec.resources.cpu, or add a node with more.",
    r"Insufficient \S+/": "Lower spec.resources.gpu.count, free a GPU, or add a node that has one; "
                          "see spec.resources.gpu.resourceName for what is asked for.",
    r"node affinity|node selector": "Correct spec.scheduling.nodeSelector or affinity so that a node matches.",
    r"untolerated taint": "Add the taint's toleration to spec.scheduling.tolerations.",
}


def container_cannot_be_made(facts: Facts) -> Finding | None:
    """The kubelet cannot make the container: a Secret, a ConfigMap or a key in it is missing."""
    for pod, name, waiting in _waits(facts, _CONFIG):
        return Finding(
            reason=Reason.CONTAINER_CONFIG_ERROR,
            message=f"The kubelet cannot make {_called(name)}: {waiting.message}",
            remedy="Create the Secret or the key that spec.model.tokenSecretRef, spec.access.apiKeySecretRef, "
                   "spec.engine.env or spec.podTemplate refers to, in the resource's namespace; the pod then goes on "
                   "by itself.",
            pod=pod.name,
        )
    return None


def image_cannot_be_pulled(facts: Facts) -> Finding | None:
    """The kubelet cannot get the engine's image."""
    for pod, name, waiting in _waits(facts, _IMAGE):
        ours = name == names.ENGINE_CONTAINER
        field = "spec.engine.image" if ours else "spec.podTemplate"
        return Finding(
            reason=Reason.IMAGE_PULL_FAILED,
            message=f"The kubelet cannot pull the image of {_called(name)}: "
                    f"{_BACK_OFF.sub('', waiting.message) or waiting.reason}",
            remedy=f"Correct {field}, or give the node access to its registry (for a private one, "
                   "spec.podTemplate.spec.imagePullSecrets); the kubelet tries again by itself.",
            pod=pod.name,
        )
    return None


def neighbour_fails(facts: Facts) -> Finding | None:
    """A container that spec.podTemplate has added ends again and again, and the pod cannot be ready without it."""
    for pod, other in ((each, other) for each in facts.starting for other in each.neighbours):
        if other.ended and other.waiting and other.waiting.reason == "CrashLoopBackOff":
            words = other.ended.message.strip()
            said = f"; its log ends with: {words}" if words else ""
            return Finding(
                reason=Reason.UNKNOWN,
                message=f"The container {other.name} of spec.podTemplate keeps ending, with exit code "
                        f"{other.ended.code}{said}",
                remedy=f"Correct it in spec.podTemplate (kubectl logs {pod.name} --container={other.name} tells more).",
                pod=pod.name,
            )
    return None


def _waits(facts: Facts, reasons: frozenset[str]) -> Iterator[tuple[PodFacts, str, Trouble]]:
    """Containers of starting pods that wait for one of these reasons."""
    for pod in facts.starting:
        for name, waiting in pod.waits:
            if waiting.reason in reasons:
                yield pod, name, waiting


def _called(name: str) -> str:
    return "the engine's container" if name == names.ENGINE_CONTAINER else f"the container {name}"


def pod_is_refused(facts: Facts) -> Finding | None:
    """The API server refuses the Deployment's pods: a quota, a limit range, Pod Security, an admission webhook."""
    if facts.refusal is None:
        return None
    cause = _REFUSED_POD.sub("", facts.refusal.message)
    if _LIMITS.search(cause):
        return Finding(
            reason=Reason.QUOTA_EXCEEDED,
            message=f"The namespace's quota or limits refuse the pod: {cause}",
            remedy="Raise the ResourceQuota or LimitRange of the namespace, or lower spec.resources or spec.replicas.",
            at=facts.refusal.since,
        )
    return Finding(
        reason=Reason.ADMISSION_REFUSED,
        message=f"The API server refuses the pod: {cause}",
        remedy="Change the policy that the message names, or the field of the spec that it objects to.",
        at=facts.refusal.since,
    )


def unschedulable(facts: Facts) -> Finding | None:
    """The scheduler has found no node for a while, and no pod of ours is about to make room."""
    if any(pod.deleting for pod in facts.pods):
        return None
    for pod in facts.starting:
        trouble = pod.unscheduled
        if trouble and trouble.reason == "Unschedulable" and (seconds_since(trouble.since, facts.now) or 0) >= GRACE_S:
            return Finding(
                reason=Reason.UNSCHEDULABLE,
                message=f"No node can run the pod: {trouble.message}",
                remedy=_unschedulable_remedy(trouble.message),
                pod=pod.name,
                at=trouble.since,
            )
    return None


def _unschedulable_remedy(message: str) -> str:
    found = [remedy for pattern, remedy in _UNSCHEDULABLE_REMEDIES.items() if re.search(pattern, message)]
    return " ".join(found) or "Make room on a node, or change spec.resources and spec.scheduling."


def node_is_lost(facts: Facts) -> Finding | None:
    """A pod's node no longer answers."""
    for pod in facts.pods:
        if pod.over and pod.over.reason == "NodeLost" and pod.revision == facts.revision:
            return Finding(
                reason=Reason.NODE_LOST,
                message=f"The node of the pod no longer answers: {pod.over.message}",
                remedy="Bring the node back, or delete the Node object so that its pods are made elsewhere.",
                pod=pod.name,
                at=pod.over.since,
            )
    return None


def pod_was_evicted(facts: Facts) -> Finding | None:
    """A pod was removed from its node a short while ago, and its successor does not serve yet."""
    for pod in facts.pods:
        if pod.over and pod.revision == facts.revision and _is_recent(pod, facts):
            return Finding(
                reason=Reason.EVICTED,
                message=f"The pod was removed from its node: {pod.over.reason}: {pod.over.message}",
                remedy="Ask for what the engine needs (spec.resources.memory), or for a priority that is not preempted "
                       "(spec.scheduling.priorityClassName). A new pod has been made.",
                pod=pod.name,
                at=pod.over.since,
            )
    return None


def _is_recent(pod: PodFacts, facts: Facts) -> bool:
    age_s = seconds_since(pod.over.since if pod.over else "", facts.now)
    return age_s is not None and age_s < EVICTION_SHOWN_S
