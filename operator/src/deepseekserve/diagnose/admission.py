"""Turns the API server's refusal of a pod into a finding: a quota with its numbers, or the policy that refuses.

Pure; one of the later checks of diagnose.
"""

import re
from typing import NamedTuple

from deepseekserve.agent.reasons import Reason
from deepseekserve.facts import Facts, Finding

_POD = re.compile(r'^pods? "[^"]*" is forbidden: ')             # with the name of a pod that never was
_EXCEEDED = re.compile(r"exceeded quota: (?P<name>[^,]+), requested: (?P<asked>\S+), used: (?P<used>\S+), "
                       r"limited: (?P<limits>\S+)")
_UNSAID = re.compile(r"failed quota: (?P<name>[^:]+): must specify (?P<what>.+)")
_LIMITS = re.compile(r"(?:exceeded|failed|insufficient) quota|(?:maximum|minimum) \S+ usage per|limit to request ratio")
_QUOTA_REMEDY = "Raise the ResourceQuota or LimitRange of the namespace, or lower spec.resources or spec.replicas."


class _Refuser(NamedTuple):
    pattern: re.Pattern[str]
    sentence: str
    remedy: str


_REFUSERS = (
    _Refuser(re.compile(r"ValidatingAdmissionPolicy '(?P<name>[^']+)'(?: with binding '[^']+')? denied request: "),
             "The ValidatingAdmissionPolicy {name} refuses the pod",
             "Change the policy {name}, or the field of the spec that it objects to."),
    _Refuser(re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request: '),
             "The admission webhook {name} refuses the pod",
             "Change the policy behind the webhook {name}, or the field of the spec that it objects to."),
    _Refuser(re.compile(r'(?:Internal error occurred: )?failed calling (?:admission )?webhook "(?P<name>[^"]+)": '),
             "The admission webhook {name} does not answer, and no pod can be made without it",
             "Bring back what serves the webhook {name}, or set its failurePolicy to Ignore."),
    _Refuser(re.compile(r'violates PodSecurity "(?P<name>[^":]+)[^"]*": '),
             "Pod Security refuses the pod: the namespace's level is {name}",
             "Remove what the message names from spec.podTemplate, or label the namespace with a level that allows it "
             "(pod-security.kubernetes.io/enforce)."),
    _Refuser(re.compile(r"(?=no PriorityClass with name (?P<name>\S+) was found)"),
             "The API server refuses the pod", "Correct spec.scheduling.priorityClassName, or make that class."),
)
_OTHER = _Refuser(re.compile(""), "The API server refuses the pod",
                  "Change the policy that the message names, or the field of the spec that it objects to.")


def pod_is_refused(facts: Facts) -> Finding | None:
    """The API server refuses the Deployment's pods: a quota, a limit range, Pod Security, a policy, a webhook."""
    if facts.refusal is None:
        return None
    cause = _POD.sub("", " ".join(facts.refusal.message.split()))
    if _LIMITS.search(cause):
        message, remedy = _quota(cause)
        return Finding(reason=Reason.QUOTA_EXCEEDED, message=message, remedy=remedy, at=facts.refusal.since)
    refuser = next((each for each in _REFUSERS if each.pattern.search(cause)), _OTHER)
    match = refuser.pattern.search(cause)
    words = match.groupdict() if match else {}
    return Finding(
        reason=Reason.ADMISSION_REFUSED,
        message=f"{refuser.sentence.format(**words)}: {refuser.pattern.sub('', cause, count=1).strip()}",
        remedy=refuser.remedy.format(**words),
        at=facts.refusal.since,
    )


def _quota(cause: str) -> tuple[str, str]:
    """What is asked for, used and allowed, where the quota says it; and what to do."""
    if match := _EXCEEDED.search(cause):
        asked, used, limits = (_amounts(match[group]) for group in ("asked", "used", "limits"))
        told = "; ".join(
            f"the pod asks for {name}={amount}, and {used.get(name, '?')} of {limits.get(name, '?')} are used"
            for name, amount in asked.items()
        )
        return f"The namespace's quota {match['name']} refuses the pod: {told}", _QUOTA_REMEDY
    if match := _UNSAID.search(cause):
        return (f"The namespace's quota {match['name']} refuses the pod, which does not say {match['what']}",
                "Set spec.resources.memory and spec.resources.cpu; what else the quota wants (limits.cpu), set in "
                "spec.podTemplate or in a LimitRange of the namespace.")
    return f"The namespace's quota or limits refuse the pod: {cause}", _QUOTA_REMEDY


def _amounts(text: str) -> dict[str, str]:
    """Of "a=1,b=2"."""
    return dict(part.partition("=")[::2] for part in text.split(","))
