"""Turns agents' reports and ended containers into findings.

Pure; the first checks of diagnose. The agent's own word comes first, live or as its termination message; where the
agent was killed too, the container's end and the last lines of the log must do.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from deepseekserve.agent.reasons import PERMANENT, Reason
from deepseekserve.diagnose.logtail import read_tail
from deepseekserve.facts import Ended, Facts, Finding, PodFacts

OOM_KILLED = "OOMKilled"
_POD = re.compile(r"\bPOD\b")              # as the agent writes it
# What an agent says of an engine that the kernel killed under it, when it could not see the kernel's counter.
_VAGUE = frozenset({Reason.UNKNOWN, Reason.ENGINE_CORE_DIED, Reason.TERMINATED})


def engine_reports_failure(facts: Facts) -> Finding | None:
    """An agent says that its engine has failed, or is certain to."""
    return _gravest(
        _in_pod(pod.report.failure, pod)
        for pod in facts.starting if pod.running and pod.report and pod.report.failure
    )


def engine_ended(facts: Facts) -> Finding | None:
    """An engine's container ended with an error and has not been ready since."""
    return _gravest(_in_pod(_cause(ended, pod), pod) for pod in facts.starting if (ended := _failed_end(pod)))


def _in_pod(finding: Finding, pod: PodFacts) -> Finding:
    """A finding with the name of its pod, also in the commands that it advises."""
    return replace(finding, pod=pod.name, remedy=_POD.sub(pod.name, finding.remedy))


def _failed_end(pod: PodFacts) -> Ended | None:
    if pod.lapsed:                      # it has served since, so that end is history
        return None
    return pod.ended if pod.ended and (pod.ended.code != 0 or pod.ended.reason == OOM_KILLED) else None


def _cause(ended: Ended, pod: PodFacts) -> Finding:
    """Why a container ended, from the best witness."""
    told = ended.report.failure if ended.report else None
    if ended.reason == OOM_KILLED and (told is None or told.reason in _VAGUE):
        return replace(_out_of_memory(ended, pod.asks.memory_limit), log_excerpt=told.log_excerpt if told else "")
    finding = told or read_tail(ended)
    return finding if finding.at else replace(finding, at=ended.at)


def _out_of_memory(ended: Ended, limit: str) -> Finding:
    """Without a limit of its own the container cannot have met one: the node had no memory left."""
    lower = "lower spec.engine.kvCacheMemory or spec.engine.maxModelLen"
    if limit:
        why, remedy = f"it needed more memory than its limit, {limit}", f"Raise spec.resources.memory, or {lower}."
    else:
        why = "it has no limit, so the node itself had no memory left"
        remedy = f"Set spec.resources.memory to what the engine needs, so that the node keeps it free, or {lower}."
    return Finding(
        reason=Reason.HOST_OUT_OF_MEMORY,
        message=f"The kernel's OOM killer ended the engine's container: {why}.",
        remedy=remedy,
        at=ended.at,
    )


def _gravest(findings: Iterable[Finding]) -> Finding | None:
    """The first that only an edit can cure, or else the first: two pods must not make the status waver."""
    found = list(findings)
    return next((finding for finding in found if finding.reason in PERMANENT), found[0] if found else None)
