"""Turns a rollout that nothing can end into the decision to let the older pods go first.

Pure; part of status, beside the number of replicas that is wanted.
"""

from deepseekserve import names
from deepseekserve.api import Status
from deepseekserve.diagnose.volumes import is_held_elsewhere
from deepseekserve.facts import Facts, PodFacts
from deepseekserve.status.subject import Subject


def makes_room(subject: Subject, previous: Status, facts: Facts) -> bool:
    """Tell whether pods of older revisions, none of which ever served, shall go before the current one's come.

    With one pod more and none less a Deployment keeps them until the new one is ready. They may hold what it waits for:
    a node, the namespace's quota, a volume. Once they have failed they only burn GPUs on further attempts.
    """
    older = [pod for pod in facts.alive if pod.revision != facts.revision]
    good = any(names.revision_name(subject.name, pod.revision) == previous.last_good_revision for pod in older)
    if not older or good or facts.ready:
        return False
    waits = facts.refusal is not None or any(_has_no_node(pod) or _has_no_volume(pod) for pod in facts.starting)
    return waits or all(pod.ended for pod in older)


def _has_no_node(pod: PodFacts) -> bool:
    return pod.unscheduled is not None and pod.unscheduled.reason == "Unschedulable"


def _has_no_volume(pod: PodFacts) -> bool:
    return pod.unmounted is not None and is_held_elsewhere(pod.unmounted)
