"""Turns containers that the kubelet cannot make, or that keep ending beside the engine's, into findings.

Pure; some of the later checks of diagnose. Kubernetes' own words are kept in the message; the remedy names our fields.
"""

import re
from collections.abc import Iterator

from deepseekserve import names
from deepseekserve.agent.reasons import Reason
from deepseekserve.facts import Facts, Finding, PodFacts, Reference, Trouble

_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_ABSENT = re.compile(r'(?i)\b(?P<kind>secret|configmap)s? "(?P<name>[^"]+)" not found')
_NO_KEY = re.compile(r"couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) [^/\s]+/(?P<name>[^\s,]+)")
_NO_VOLUME_KEY = re.compile(r'volume "(?P<volume>[^"]+)" .*references non-existent (?P<kind>secret|config) '
                            r"key: (?P<key>\S+)")
_KINDS = {"secret": "Secret", "configmap": "ConfigMap", "config": "ConfigMap"}


def container_cannot_be_made(facts: Facts) -> Finding | None:
    """The kubelet cannot make the container: most often a Secret, a ConfigMap or a key in it is missing."""
    for pod, name, waiting in waits(facts, _CONFIG):
        problem = f"The kubelet cannot make {called(name)}"
        return absence(pod, waiting.message, problem) or Finding(
            reason=Reason.CONTAINER_CONFIG_ERROR,
            message=f"{problem}: {waiting.message}",
            remedy="Correct what it names: spec.engine.image, spec.engine.env or spec.podTemplate.",
            pod=pod.name,
        )
    return None


def absence(pod: PodFacts, words: str, problem: str) -> Finding | None:
    """What of a Secret or ConfigMap is missing, in the kubelet's words, and which field asks for it."""
    found = _missing(pod, words)
    if found is None:
        return None
    thing, key = f"the {found.kind} {found.name}", f"the key {found.key}"
    missing = f"{thing} has no key {found.key}" if found.key else f"{thing} does not exist"
    keys = {each.key for each in pod.asks.references if (each.kind, each.name) == (found.kind, found.name)} - {""}
    needed = f" with the key {' and '.join(sorted(keys))}" if keys else ""
    where = found.field or "spec.engine.env or spec.podTemplate"
    asked = f"; it is asked for by {found.field}" if found.field else ""
    return Finding(
        reason=Reason.CONTAINER_CONFIG_ERROR,
        message=f"{problem}: {missing}{asked} ({words})",
        remedy=(f"Add {key} to {thing}" if found.key else f"Create {thing}{needed} in the resource's namespace")
        + f", or correct {where}; the pod goes on by itself when it is there.",
        pod=pod.name,
    )


def _missing(pod: PodFacts, words: str) -> Reference | None:
    """The missing thing, with the key if that is what is missing, and the field where it is known."""
    references = pod.asks.references
    if match := _NO_VOLUME_KEY.search(words):
        kind = _KINDS[match["kind"]]
        known = [each for each in references if (each.volume, each.kind) == (match["volume"], kind)]
        named = " or ".join(each.name for each in known)
        return Reference(kind, named, known[0].field, key=match["key"]) if known else None
    match = _NO_KEY.search(words) or _ABSENT.search(words)
    if match is None:
        return None
    values = {"key": "", **match.groupdict()}
    kind = _KINDS[values["kind"].lower()]
    fields = [each.field for each in references
              if (each.kind, each.name) == (kind, values["name"]) and values["key"] in ("", each.key)]
    return Reference(kind, values["name"], " and ".join(dict.fromkeys(fields)), key=values["key"])


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


def waits(facts: Facts, reasons: frozenset[str]) -> Iterator[tuple[PodFacts, str, Trouble]]:
    """Containers of starting pods that wait for one of these reasons."""
    for pod in facts.starting:
        for name, waiting in pod.waits:
            if waiting.reason in reasons:
                yield pod, name, waiting


def called(name: str) -> str:
    """A container, as messages call it."""
    return "the engine's container" if name == names.ENGINE_CONTAINER else f"the container {name}"
