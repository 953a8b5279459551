"""Turns a spec that cannot be used into a finding, and the last status into what is served meanwhile.

Part of reconcile.
"""

from deepseekserve.agent.reasons import Reason
from deepseekserve.api import InvalidSpec, Status
from deepseekserve.facts import Finding
from deepseekserve.kube import Object, key_of
from deepseekserve.kube.kinds import DEPLOYMENTS
from deepseekserve.observe import Cache
from deepseekserve.status import Subject


def finding_of(error: InvalidSpec) -> Finding:
    """Say what is wrong; the message names the field and the next step."""
    return Finding(Reason.INVALID_SPEC, str(error), "Edit the spec as the message says; what serves is left as it is.")


def last_subject(raw: Object, previous: Status, cache: Cache) -> Subject:
    """What was asked for before: the last revision, with the number of pods that its Deployment has."""
    key = key_of(raw)
    deployment = cache.child(DEPLOYMENTS, key, key.name)
    return Subject(
        name=key.name,
        namespace=key.namespace,
        generation=raw["metadata"]["generation"],
        replicas=deployment["spec"]["replicas"] if deployment else 1,
        revision=previous.current_revision or "",
        model=previous.model or "",
    )
