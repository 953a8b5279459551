"""Turns what the scheduler says of a pod into a finding: one sentence that says what is missing on how many nodes.

Pure; one of the later checks of diagnose. What a reason of the scheduler means stands in `nodes`. A message with a
reason that nobody knows is shown as it is.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deepseekserve.agent.reasons import Reason
from deepseekserve.api.status import LONGEST_FIX
from deepseekserve.diagnose.nodes import Lack, lack_of, taint_of, toleration_of
from deepseekserve.facts import Asks, Facts, Finding, Fix, PodFacts
from deepseekserve.facts.moments import seconds_since

GRACE_S = 10           # a claim is being bound, a driver comes up, or the last pod lets go of its GPU or its volume

_MESSAGE = re.compile(r"0/(?P<total>\d+) nodes are available: (?P<reasons>.+?)\.*(?:\. (?P<attempts>.*))?$")
_REASON = re.compile(r"(?:(?P<count>\d+) )?(?P<text>.+?)(?:, (?=\d+ )|$)")
_NEVER_HELPS = re.compile(r"preemption: 0/\d+ nodes are available: (\d+) Preemption is not helpful")
_CLUSTERS_OWN = re.compile(r"(?:[a-z.-]+\.)?kubernetes\.io/")          # taints that stand for a state, or a role
_DEFAULTS = [          # which the API server gives each pod that has none of its own
    {"key": f"node.kubernetes.io/{state}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for state in ("not-ready", "unreachable")
]
_MAKE_ROOM = "Make room on a node, or change spec.resources and spec.scheduling."


@dataclass(frozen=True)
class _Refused:
    """Why so many nodes cannot run the pod; the count is empty where the reason lies in the pod or in its claims."""

    count: int | None
    text: str
    lack: Lack | None


@dataclass(frozen=True)
class _Verdict:
    """A message of the scheduler."""

    total: int
    refused: tuple[_Refused, ...]
    never: bool                    # not even if nothing else ran


def unschedulable(facts: Facts) -> Finding | None:
    """The scheduler has found no node for a while, and no pod of ours is about to make room."""
    if any(pod.deleting for pod in facts.pods):
        return None
    for pod in facts.starting:
        trouble = pod.unscheduled
        if trouble and trouble.reason == "Unschedulable" and (seconds_since(trouble.since, facts.now) or 0) >= GRACE_S:
            verdict = _read(trouble.message, pod.asks)
            return Finding(
                reason=Reason.UNSCHEDULABLE,
                message=_sentence(verdict, pod.asks) or f"No node can run the pod: {trouble.message}",
                remedy=_remedy(verdict),
                fixes=tuple(_fixes(verdict, pod)),
                pod=pod.name,
                at=trouble.since,
            )
    return None


def _read(message: str, asks: Asks) -> _Verdict:
    match = _MESSAGE.match(message)
    if match is None:
        lack = lack_of(message.rstrip("."), asks)          # another scheduler's text may count nodes
        return _Verdict(0, (_Refused(None, message, lack if lack and lack.of_pod else None),), never=False)
    refused = tuple(
        _Refused(int(found["count"]) if found["count"] else None, found["text"], lack_of(found["text"], asks))
        for found in _REASON.finditer(match["reasons"])
    )
    total, helps_not = int(match["total"]), _NEVER_HELPS.search(match["attempts"] or "")
    never = len(refused) == 1 and bool(helps_not and int(helps_not[1]) == refused[0].count == total)
    return _Verdict(total, refused, never)


def _sentence(verdict: _Verdict, asks: Asks) -> str:
    """What is missing, in plain words; empty when a reason is unknown."""
    lacks = [(each.count, each.lack) for each in verdict.refused if each.lack]
    if len(lacks) < len(verdict.refused):
        return ""
    amounts = _listed([f"{amount} {name}" for name, amount in asks.amounts])
    wanted = f", whose engine asks for {amounts}" if amounts and any(lack.alone for _, lack in lacks) else ""
    clauses = [lack.one for _, lack in lacks if lack.of_pod]
    clauses += _of_nodes([(count, lack) for count, lack in lacks if not lack.of_pod], verdict.total)
    bare = ", even when nothing else runs there" if verdict.never and lacks[0][1].alone else ""
    return f"No node can run the pod{wanted}: {'; '.join(clauses)}{bare}"


def _of_nodes(lacks: Sequence[tuple[int | None, Lack]], total: int) -> Iterable[str]:
    if lacks and all(count == total for count, _ in lacks):
        if total == 1:
            yield f"the only node {_listed([lack.one for _, lack in lacks])}"
        else:
            yield f"all {total} nodes {_listed([lack.many for _, lack in lacks])}"
    elif lacks:
        told = _listed([f"{count} {lack.one if count == 1 else lack.many}" for count, lack in lacks])
        yield f"of {total} nodes {told}"


def _remedy(verdict: _Verdict) -> str:
    lacks = [each.lack for each in verdict.refused if each.lack]
    remedies = [(verdict.never and lack.alone) or lack.remedy for lack in lacks]
    return " ".join(dict.fromkeys(remedies)) or _MAKE_ROOM


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def _fixes(verdict: _Verdict, pod: PodFacts) -> Iterable[Fix]:
    """A toleration, if nothing else can help or the taint marks nodes with the devices that the pod asks for."""
    taints = {(taint, each.count) for each in verdict.refused if each.count and (taint := taint_of(each.text))}
    if len(taints) != 1:
        return
    ((key, value), count), = taints
    marks_devices = key in dict(pod.asks.amounts)
    if _CLUSTERS_OWN.match(key) or not (count == verdict.total or marks_devices):
        return
    kept = [one for one in pod.asks.tolerations if one not in _DEFAULTS]
    tolerations = json.dumps([*kept, toleration_of(key, value)])
    if len(tolerations) <= LONGEST_FIX:
        yield Fix("spec.scheduling.tolerations", tolerations, f"the pod then tolerates the taint of {count} node(s)")
