"""Turns a resource whose model nobody knows into a Reading: a Job is made, its pod looked at, its message kept.

Part of reconcile; I/O. A model is read for a revision that is new. What was read is kept in the revision, and until
there is one, for a spec that is refused, in the status; then the Job goes.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from deepseekserve import catalog, engine, names, render
from deepseekserve.api import DeepSeekServe, Status
from deepseekserve.apply import apply
from deepseekserve.facts import UNREAD, Reading, kept_reading, parse_reading
from deepseekserve.kube import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    Key,
    Kube,
    NotFound,
    Object,
    key_of,
)
from deepseekserve.kube.kinds import CLAIMS, JOBS, PODS
from deepseekserve.observe import Cache
from deepseekserve.revision import Revision, spec_hash
from deepseekserve.settings import Settings

ASKED = Reading(why="the pod that reads the model is asked for", waiting=True)
_BOUND = "Bound"
_OFFLINE = "spec.engine.env has HF_HUB_OFFLINE, so the hub is not asked"


class Asked(NamedTuple):
    """A Job that is there."""

    name: str
    uid: str
    created: str                  # RFC 3339


@dataclass(frozen=True)
class Reader:
    """Reads models where the engine would. A Job that it has lost from sight deletes itself."""

    kube: Kube
    cache: Cache
    settings: Settings
    _asked: dict[Key, Asked] = field(default_factory=dict)

    async def look(self, serve: DeepSeekServe, raw: Object, stored: Revision | None, now: datetime) -> Reading | None:
        """What is read of the model; None where the catalogue knows it. Raises KubeError."""
        if catalog.find_model(serve.spec.model.source):
            return None
        if stored:
            return kept_reading(stored.read) or Reading(why="it was not when this revision was made")
        mark, owner = spec_hash(serve), key_of(raw)
        if told := _told(raw, mark):
            return told
        if not self.settings.image:
            return UNREAD
        asked = self._asked.get(owner)
        if asked is None or asked.name != names.reader_job(serve.metadata, mark):
            return await self._ask(serve, raw, names.reader_job(serve.metadata, mark))
        pods = await self.kube.labelled(PODS, owner.namespace, f"{names.LABEL_OF_JOB}={asked.uid}")
        return parse_reading(pods, asked.created, now)

    async def end(self, key: Key) -> None:
        """Delete the resource's Job, with its pod."""
        if asked := self._asked.get(key):
            with suppress(Conflict):                       # it is another one by now
                await self.kube.delete(JOBS, Key(key.namespace, asked.name), asked.uid)
            del self._asked[key]

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._asked.pop(key, None)

    async def _ask(self, serve: DeepSeekServe, raw: Object, name: str) -> Reading:
        """Make the Job, in place of one for an earlier spec."""
        owner = key_of(raw)
        await self.end(owner)
        if why := await self._hindrance(serve):
            return Reading(why=why)
        account, job = render.reader(serve, self.settings, name)
        outcome = await apply(self.kube, self.cache, raw, [account])
        try:
            made = await self.kube.create(JOBS, job)
        except AlreadyExists:
            made = await self.kube.get(JOBS, Key(owner.namespace, name))
        except (BadRequest, Forbidden, Invalid) as error:
            return Reading(why=f"the Job that reads the model was refused: {error}")
        if outcome.trouble or not names.is_ours(made["metadata"], serve.metadata.uid):
            trouble = outcome.trouble.message if outcome.trouble else f"somebody else has a Job {name}"
            return Reading(why=f"nothing reads the model: {trouble}")
        metadata = made["metadata"]
        self._asked[owner] = Asked(name, metadata["uid"], metadata["creationTimestamp"])
        return ASKED

    async def _hindrance(self, serve: DeepSeekServe) -> str:
        """Why nothing can be read: a pod that may run anywhere must not bind a claim to a zone without GPUs."""
        claim = engine.parse_source(serve.spec.model.source).claim
        if not claim:
            return _OFFLINE if engine.is_offline(serve) else ""
        try:
            found = await self.kube.get(CLAIMS, Key(serve.metadata.namespace, claim))
        except NotFound:
            return f"there is no PersistentVolumeClaim {claim}"
        except Forbidden:
            return ""
        is_bound = (found.get("status") or {}).get("phase") == _BOUND
        if is_bound or serve.spec.engine.device == engine.CPU or render.is_placed(serve):
            return ""
        return f"the PersistentVolumeClaim {claim} is not bound, and which node the engine will run on is not said"


def _told(raw: Object, mark: str) -> Reading | None:
    """What the status says was read for such a spec."""
    sizing = Status.read(raw.get("status")).sizing
    return kept_reading(sizing.summary or "") if sizing and sizing.spec_hash == mark else None
