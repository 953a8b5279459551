"""Turns pods that were taken from their nodes into findings: by pressure, a drain, a preemption, or a lost node.

Pure; the last checks of diagnose. The wordings are those of the kubelet and of the DisruptionTarget condition.
"""

import re
from typing import NamedTuple

from deepseekserve import names
from deepseekserve.agent.reasons import Reason
from deepseekserve.facts import Facts, Finding, PodFacts, Trouble
from deepseekserve.facts.moments import seconds_since

EVICTION_SHOWN_S = 600

_PRESSURE = re.compile(r"The node was low on resource: (?P<what>[\w-]+)\.")
_THRESHOLD = re.compile(r"Threshold quantity: (?P<least>\w+), available: (?P<free>\w+)\.")
_USAGE = re.compile(rf"Container {names.ENGINE_CONTAINER} was using (?P<used>\w+), "
                    r"(?:request is|which exceeds its request of) (?P<asked>\w+)")
_FULL_VOLUME = re.compile(r'Usage of EmptyDir volume "(?P<name>[^"]+)" exceeds the limit "(?P<limit>[^"]+)"')
_FULL_DISK = re.compile(r"exceed(?:s|ed) (?:its local ephemeral storage limit|the total limit of containers)")
_NEXT = "A new pod has been made."


class _Cause(NamedTuple):
    sentence: str
    remedy: str


_PREEMPTED = _Cause("made room for a pod of a higher priority",
                    "Set spec.scheduling.priorityClassName to a class that is not preempted, or add a node.")
_SHUT_DOWN = _Cause("was ended because its node shut down", "Bring the node back, if no other can run the pod.")
# By the reason of the pod, or of its DisruptionTarget condition.
_CAUSES = {
    "PreemptionByScheduler": _PREEMPTED,
    "Preempting": _PREEMPTED,
    "EvictionByEvictionAPI": _Cause(
        "was evicted through the API, as a drain of its node or an autoscaler does",
        "Nothing is wrong with it. With spec.replicas of 2 or more the others serve meanwhile."),
    "DeletionByTaintManager": _Cause(
        "was removed because its node got a NoExecute taint that it does not tolerate (a node that does not answer "
        "gets one too)", "Bring the node back, or add the taint to spec.scheduling.tolerations."),
    "DeletionByPodGC": _Cause("is gone, as its node is", "Add a node, if no other can run the pod."),
    "NodeShutdown": _SHUT_DOWN,
    "Terminated": _SHUT_DOWN,
}
_PRESSURES = {
    "memory": "Set spec.resources.memory to what the engine needs: the pod then goes to a node that has it, and is not "
              "the first to be removed.",
    "ephemeral-storage": "Give the nodes larger disks, or serve the model from a claim (spec.model.source: "
                         "pvc://CLAIM/PATH): a download fills the node's disk.",
}
_OTHER_PRESSURE = "Free the resource on the node, or keep the pod from it with spec.scheduling."


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
    """A pod was taken from its node a short while ago, and its successor does not serve yet."""
    for pod in facts.pods:
        end = _end(pod)
        if end and pod.revision == facts.revision and _is_recent(end, facts):
            cause = _of_kubelet(end.message) or _cause(pod, end)
            return Finding(
                reason=Reason.EVICTED,
                message=f"The pod {cause.sentence}",
                remedy=f"{cause.remedy} {_NEXT}",
                pod=pod.name,
                at=end.since,
            )
    return None


def _end(pod: PodFacts) -> Trouble | None:
    """How the pod itself has ended, or is being ended by others than its Deployment."""
    return pod.over or (pod.disrupted if pod.deleting else None)


def _cause(pod: PodFacts, end: Trouble) -> _Cause:
    named = (reason.reason for reason in (end, pod.disrupted) if reason)
    known = next((_CAUSES[name] for name in named if name in _CAUSES), None)
    return known or _Cause(
        f"was taken from its node, or refused by it: {end.reason}: {end.message}",
        "Look at the node's memory, devices and taints (kubectl describe node).")


def _of_kubelet(words: str) -> _Cause | None:
    """What the kubelet says of its node's resources, with the numbers."""
    if match := _FULL_VOLUME.search(words):
        field = "spec.resources.sharedMemory" if match["name"] == "shm" else "its sizeLimit in spec.podTemplate"
        return _Cause(f"was removed from its node: its volume {match['name']} holds more than {match['limit']}",
                      f"Raise {field} above {match['limit']}.")
    if _FULL_DISK.search(words):
        return _Cause(f"was removed from its node: {words.strip()}", "Raise the ephemeral-storage limit in "
                      "spec.podTemplate, or serve the model from a claim (spec.model.source: pvc://CLAIM/PATH).")
    match = _PRESSURE.search(words)
    if match is None:
        return None
    free, usage = _THRESHOLD.search(words), _USAGE.search(words)
    left = f" ({free['free']} were free, and the kubelet keeps {free['least']})" if free else ""
    used = f"; the engine's container used {usage['used']} and asks for {usage['asked']}" if usage else ""
    return _Cause(f"was removed from its node, which was low on {match['what']}{left}{used}",
                  _PRESSURES.get(match["what"], _OTHER_PRESSURE))


def _is_recent(end: Trouble, facts: Facts) -> bool:
    age_s = seconds_since(end.since, facts.now)
    return age_s is not None and age_s < EVICTION_SHOWN_S
