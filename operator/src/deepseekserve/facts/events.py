"""Turns the Events of one pod into Mounting: whether its volumes are mounted, and what stands in the way.

Pure; one of the parsers of facts. Only Events say why a volume cannot be attached or mounted: the pod's status says
ContainerCreating for that, for a slow mount and for a long pull of the image alike.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from deepseekserve.facts.moments import moment, rfc3339
from deepseekserve.facts.pods import Mounting, Raw, Trouble

FAILED_ATTACH = "FailedAttachVolume"
_FAILED = frozenset({FAILED_ATTACH, "FailedMount", "FailedMapVolume"})
_ATTACHED = "SuccessfulAttachVolume"
# Of the kubelet, which comes to the sandbox and the images when all volumes are mounted, and not before.
_AFTER = frozenset({"Pulling", "Pulled", "Failed", "BackOff", "FailedCreatePodSandBox", "Created", "Started"})
# Every two minutes, for any failed volume: "timed out waiting for the condition".
_WRAPPERS = ("Unable to attach or mount volumes", "Unable to mount volumes")
_COLD = re.compile(r"failed to sync (?:configmap|secret) cache")
_REPEATED_S = 450.0         # a mount is tried again after at most 122 s, and client-go lets an Event pass each 300 s
_VOLUME = re.compile(r'for volume "([^"]+)"')
_COMBINED = "(combined from similar events): "          # where the texts differ too often
_VARIES = re.compile(r"\S*\d\S*")          # an id, a port, a time: of one attempt only


@dataclass(frozen=True)
class _Said:
    reason: str
    note: str
    first: str
    last: str

    @property
    def volume(self) -> str:
        match = _VOLUME.search(self.note)
        return match[1] if match else ""

    @property
    def cause(self) -> tuple[str, str, str]:
        """What it has in common with the same failure's other attempts."""
        return self.reason, self.volume, _VARIES.sub("", self.note)


def parse_events(raw: Iterable[Raw], now: datetime) -> Mounting:
    """Read Events (events.k8s.io/v1) of one pod, in any order."""
    said = [_said(event) for event in raw]
    later = max((each.last for each in said if each.reason in _AFTER), default="")
    attached = {each.volume: each.last for each in sorted(said, key=lambda each: each.last) if each.reason == _ATTACHED}
    failed = [each for each in said if each.reason in _FAILED and each.last > later and not _is_first_try(each)]
    failed = [each for each in failed if each.reason != FAILED_ATTACH or each.last > attached.get(each.volume, "")]
    return Mounting(done=bool(later) and not failed, trouble=_root(failed, now))


def _root(failed: Sequence[_Said], now: datetime) -> Trouble | None:
    """Of the volumes that still fail the one that began first, in the first Event that says what its last one says.

    So it stays the same from one look to the next, and gives way to what stands in the way now.
    """
    lasting = [each for each in failed if each.reason == FAILED_ATTACH or _is_repeated(each, now)]
    precise = [each for each in lasting if not each.note.startswith(_WRAPPERS)] or lasting
    latest = {(each.reason, each.volume): each.cause for each in sorted(precise, key=lambda each: each.last)}
    roots = [each for each in failed if each.cause in latest.values()]
    if not roots:
        return None
    root = min(roots, key=lambda each: (each.first, each.note))
    return Trouble(root.reason, root.note, root.first)


def _is_first_try(failure: _Said) -> bool:
    """The kubelet has not read the ConfigMaps and Secrets of a new pod yet: most pods of a busy node begin so."""
    return failure.first == failure.last and _COLD.search(failure.note) is not None


def _is_repeated(failure: _Said, now: datetime) -> bool:
    """A mount that succeeds posts no Event. One that has failed for long may wait for its turn behind other Events."""
    silent_s = _seconds(failure.last, rfc3339(now))
    return silent_s < max(_REPEATED_S, _seconds(failure.first, failure.last))


def _seconds(earlier: str, later: str) -> float:
    begin, end = moment(earlier), moment(later)
    return (end - begin).total_seconds() if begin and end else 0.0


def _said(event: Raw) -> _Said:
    """An Event has its times in new fields or in old ones, as its writer's client likes."""
    first = event.get("deprecatedFirstTimestamp") or event.get("eventTime") or ""
    last = (event.get("series") or {}).get("lastObservedTime") or event.get("deprecatedLastTimestamp") or first
    note = " ".join((event.get("note") or "").removeprefix(_COMBINED).split())
    return _Said(event.get("reason") or "", note, _whole(first), _whole(last))


def _whole(time: str) -> str:
    """In whole seconds, so that times of both kinds can be compared as texts."""
    return f"{time[:19]}Z" if time else ""
