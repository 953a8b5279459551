"""Turns a rollout that nothing can end into the decision to let the older pods go first.

Pure; part of status, beside the number of replicas that is wanted.
"""

from deepseekserve import names
from deepseekserve.api import Status
from deepseekserve.facts import Facts
from deepseekserve.status.subject import Subject


def makes_room(subject: Subject, previous: Status, facts: Facts) -> bool:
    """Tell whether pods of older revisions, none of which ever served, hold what the current one's pod waits for.

    With one pod more and none less a Deployment keeps them until the new one is ready, and the new one finds no node,
    or no room in the namespace's quota.
    """
    older = [pod for pod in facts.alive if pod.revision != facts.revision]
    good = any(names.revision_name(subject.name, pod.revision) == previous.last_good_revision for pod in older)
    no_node = any(pod.unscheduled and pod.unscheduled.reason == "Unschedulable" for pod in facts.starting)
    return bool(older) and not good and not facts.ready and (no_node or facts.refusal is not None)
