"""Turns a decided Status into at most one write, and a transition into an Event, a log line and a count.

I/O; the last step of reconcile. A status that says what the live one says is not written.
"""

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from deepseekserve import metrics, names
from deepseekserve.api import Status
from deepseekserve.facts.moments import micro_time, seconds_since
from deepseekserve.kube import Kube, KubeError, NotFound, Object, key_of
from deepseekserve.kube.kinds import EVENTS, SERVES
from deepseekserve.logs import fields
from deepseekserve.observe import Cache
from deepseekserve.status import Note, notes

NOTE_LENGTH = 1024            # of events.k8s.io/v1

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publisher:
    """Writes statuses and Events, as `identity`."""

    kube: Kube
    cache: Cache
    identity: str

    async def publish(self, serve: Object, previous: Status, status: Status) -> None:
        """Write the status if it is another one, then tell what has happened."""
        raw = status.to_dict()
        if raw == serve.get("status"):
            return
        try:
            written = await self.kube.patch_status(SERVES, key_of(serve), serve["metadata"]["uid"], raw)
        except NotFound:
            return
        self.cache.put(SERVES, written)
        _count(previous, status)
        _compare(previous, status)
        for note in notes(previous, status):
            log.info("transition", extra=_fields(serve, note))
            await self._post(serve, note)

    async def _post(self, serve: Object, note: Note) -> None:
        """Post an Event; one that cannot be posted is not worth another reconcile."""
        try:
            await self.kube.create(EVENTS, _event(serve, note, self.identity))
        except KubeError as error:
            log.warning("event not posted", extra=_fields(serve, note, error=str(error)))


def _count(previous: Status, status: Status) -> None:
    failure = status.failure
    if failure is None or (previous.failure and previous.failure.at == failure.at):
        return
    metrics.FAILURES.labels(failure.reason.value).inc()
    seconds = seconds_since(failure.at or "", datetime.now(UTC))
    if seconds is not None and failure.pod:
        metrics.FAILURE_REPORT_SECONDS.observe(max(0.0, seconds))


def _compare(previous: Status, status: Status) -> None:
    """What an engine reports for the first time, with what was predicted."""
    reported = status.engine.kv_cache_tokens if status.engine and status.engine != previous.engine else None
    predicted = status.sizing.kv_cache_tokens if status.sizing else None
    if reported and predicted:
        metrics.KV_CACHE_RATIO.observe(reported / predicted)


def _event(serve: Object, note: Note, identity: str) -> Object:
    metadata = serve["metadata"]
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"namespace": metadata["namespace"], "name": f"{metadata['name']}.{time.time_ns():x}"},
        "eventTime": micro_time(datetime.now(UTC)),
        "reportingController": names.FIELD_MANAGER,
        "reportingInstance": identity[:128],
        "type": note.type,
        "reason": note.reason,
        "action": note.action,
        "note": note.message[:NOTE_LENGTH],
        "regarding": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
    }


def _fields(serve: Object, note: Note, **more: str) -> dict[str, object]:
    return fields(key="/".join(key_of(serve)), reason=note.reason, text=note.message, **more)
