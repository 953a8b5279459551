"""Turns pods that hang before their first container into pods with what their Events say: one short list, seldom.

I/O; part of observe. No watch: a cluster has many Events. The oldest such pods are asked about, less and less often,
and no more once its volumes are mounted. Without the right to list Events nothing is known, and nothing else is lost.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from deepseekserve.facts import Mounting, PodFacts, parse_events
from deepseekserve.facts.moments import seconds_since
from deepseekserve.kube import Forbidden, Key, Kube, KubeError
from deepseekserve.logs import fields

FIRST_S = 5.0             # most pods have a container by then
LONGEST_S = 60.0
CLOCK_S = 0.5             # a look may come a moment early
MOST_PODS = 3             # for each the API server searches all Events of the namespace, and one tells for all

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Heard:
    mounting: Mounting | None
    until: datetime           # when it is asked again


class PodEvents:
    """The Events of pods that hang, as last heard."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._heard: dict[Key, dict[str, _Heard]] = {}          # by pod uid
        self._complained = False

    async def ask(self, key: Key, pods: Iterable[PodFacts], *, revision: str, now: datetime) -> tuple[PodFacts, ...]:
        """The pods of a resource, the oldest that hang of this revision with what is known of their volumes."""
        pods = tuple(pods)
        hanging = [pod for pod in pods if pod.hangs and pod.revision == revision][:MOST_PODS]
        known = self._heard.get(key, {})
        heard = {pod.uid: known.get(pod.uid) or _Heard(None, now) for pod in hanging}
        try:
            for pod in hanging:
                last, until = heard[pod.uid], now + timedelta(seconds=pause_s(pod, now) - CLOCK_S)
                if _is_due(pod, last, now):
                    heard[pod.uid] = replace(last, until=until)
                    events = await self._kube.events_of(key.namespace, pod.uid)
                    # Some are said once, and kept for an hour.
                    heard[pod.uid] = _Heard(parse_events(events, now) if events else last.mounting, until)
        except KubeError as error:          # the next question would wait as long for no answer
            self._complain(error)
        if heard:
            self._heard[key] = heard
        else:
            self.forget(key)
        return tuple(replace(pod, mounting=heard[pod.uid].mounting) if pod.uid in heard else pod for pod in pods)

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._heard.pop(key, None)

    def _complain(self, error: KubeError) -> None:
        """Once: a role of an older release lasts until somebody upgrades it."""
        if isinstance(error, Forbidden) and not self._complained:
            log.warning("may not list Events, which tell of volumes: upgrade the chart", extra=fields(error=str(error)))
            self._complained = True


def _is_due(pod: PodFacts, last: _Heard, now: datetime) -> bool:
    is_young = (seconds_since(pod.created, now) or 0.0) < FIRST_S
    return not is_young and now >= last.until and not (last.mounting and last.mounting.done)


def pause_s(pod: PodFacts, now: datetime) -> float:
    """Seconds until the Events of a pod that hangs are worth a look: half of its age."""
    age_s = seconds_since(pod.created, now) or 0.0
    return min(LONGEST_S, max(FIRST_S - age_s, age_s / 2))
