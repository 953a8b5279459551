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


def asks_for_none(raw: Object) -> bool:
    """Tell whether no pods shall run: this is obeyed whatever else is wrong with the spec."""
    spec = raw.get("spec") or {}
    return spec.get("suspended") is True or spec.get("replicas") == 0


def finding_of(raw: Object, error: InvalidSpec) -> Finding:
    """Say what is wrong; the message names the field and the next step."""
    meanwhile = "no pods run, since it asks for none" if asks_for_none(raw) else "what serves is left as it is"
    return Finding(Reason.INVALID_SPEC, str(error), f"Edit the spec as the message says; {meanwhile}.")


def last_subject(raw: Object, previous: Status, cache: Cache) -> Subject:
    """What was asked for before: the last revision, with the number of pods that its Deployment has, or none."""
    key = key_of(raw)
    deployment = cache.child(DEPLOYMENTS, key, key.name)
    replicas = deployment["spec"]["replicas"] if deployment else 1
    return Subject(
        name=key.name,
        namespace=key.namespace,
        generation=raw["metadata"]["generation"],
        replicas=0 if asks_for_none(raw) else replicas,
        revision=previous.current_revision or "",
        model=previous.model or "",
    )
