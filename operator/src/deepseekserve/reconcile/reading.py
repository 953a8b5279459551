"""Turns a resource whose model nobody knows into a Reading: a Job is made, its pod looked at, its message kept.

Part of reconcile; I/O. A model is read for a revision that is new. What was read is kept in the revision, and until
there is one, for a spec that is refused, in the status; then the Job goes.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from deepseekserve import catalog, engine, names, render
from deepseekserve.api import DeepSeekServe, Status
from deepseekserve.apply import apply
from deepseekserve.facts import UNREAD, Reading, kept_reading, parse_reading
from deepseekserve.facts.moments import rfc3339
from deepseekserve.facts.readings import LONGEST_S, PATIENCE_S
from deepseekserve.kube import (
    AlreadyExists,
    BadRequest,
    Forbidden,
    Invalid,
    Key,
    Kube,
    KubeError,
    NotFound,
    Object,
    key_of,
)
from deepseekserve.kube.kinds import CLAIMS, JOBS, PODS
from deepseekserve.logs import fields
from deepseekserve.observe import Cache
from deepseekserve.revision import Revision, spec_hash
from deepseekserve.settings import Settings

ASKED = Reading(why="a short Job without a GPU reads the model's files before the engine starts", waiting=True)
UNKEPT = Reading(why="nobody had read it when this revision was made; to have it read, set spec.restartedAt")
_OFFLINE = Reading(why="spec.engine.env has HF_HUB_OFFLINE, so the hub is not asked")
_BOUND = "Bound"

log = logging.getLogger(__name__)


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
    _began: dict[Key, tuple[str, datetime]] = field(default_factory=dict)        # by the Job's name, made or not

    async def look(self, serve: DeepSeekServe, raw: Object, stored: Revision | None, now: datetime) -> Reading | None:
        """What is read of the model; None where the catalogue knows it."""
        if catalog.find_model(serve.spec.model.source):
            return None
        if stored:                                  # without an image said alike of all: one may be made again any time
            return kept_reading(stored.read) or (UNKEPT if self.settings.image else UNREAD)
        mark = spec_hash(serve)
        if told := _told(raw, mark):
            return told
        if not self.settings.image:
            return UNREAD
        return await self._new(serve, raw, names.reader_job(serve.metadata, mark), now)

    async def _new(self, serve: DeepSeekServe, raw: Object, name: str, now: datetime) -> Reading:
        """What the Job of this name has found, which is made where it is not there."""
        owner = key_of(raw)
        last, began = self._began.get(owner, ("", now))
        began = began if last == name else now
        self._began[owner] = (name, began)
        waited_s = (now - began).total_seconds()
        try:
            asked = self._asked.get(owner)
            if asked is None or asked.name != name:
                return await self._ask(serve, raw, name, now, waited_s)
            pods = await self.kube.labelled(PODS, owner.namespace, f"{names.LABEL_OF_JOB}={asked.uid}")
            return parse_reading(pods, asked.created, now)
        except KubeError as error:                  # whatever serves or is to stop must not wait for this
            return Reading(why=f"nothing could read the model: {error}", waiting=waited_s < LONGEST_S)

    async def end(self, key: Key) -> None:
        """Delete the resource's Job, with its pod; one that cannot be deleted deletes itself."""
        if asked := self._asked.pop(key, None):
            try:
                await self.kube.delete(JOBS, Key(key.namespace, asked.name), asked.uid)
            except KubeError as error:
                log.warning("job not deleted", extra=fields(key="/".join(key), job=asked.name, error=str(error)))

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._asked.pop(key, None)
        self._began.pop(key, None)

    async def _ask(self, serve: DeepSeekServe, raw: Object, name: str, now: datetime, waited_s: float) -> Reading:
        """Make the Job, in place of one for an earlier spec."""
        owner = key_of(raw)
        await self.end(owner)
        if hindrance := await self._hindrance(serve, waited_s):
            return hindrance
        account, job = render.reader(serve, self.settings, name)
        outcome = await apply(self.kube, self.cache, raw, [account])
        if not outcome.complete:
            trouble = outcome.trouble.message if outcome.trouble else "its ServiceAccount is being deleted"
            return Reading(why=f"nothing reads the model: {trouble}", waiting=outcome.waiting and waited_s < PATIENCE_S)
        try:
            made, created = await self.kube.create(JOBS, job), rfc3339(now)
        except AlreadyExists:
            made = await self.kube.get(JOBS, Key(owner.namespace, name))
            created = made["metadata"]["creationTimestamp"]
        except (BadRequest, Forbidden, Invalid) as error:
            return Reading(why=f"the Job that reads the model was refused: {error}")
        if not names.is_ours(made["metadata"], serve.metadata.uid):
            return Reading(why=f"nothing reads the model: somebody else has a Job {name}")
        self._asked[owner] = Asked(name, made["metadata"]["uid"], created)
        return ASKED

    async def _hindrance(self, serve: DeepSeekServe, waited_s: float) -> Reading | None:
        """Why nothing can be read: a pod that may run anywhere must not bind a claim to a zone without GPUs."""
        claim = engine.parse_source(serve.spec.model.source).claim
        if not claim:
            return _OFFLINE if engine.is_offline(serve) else None
        try:
            found = await self.kube.get(CLAIMS, Key(serve.metadata.namespace, claim))
        except NotFound:                            # it may come with the same apply, after us
            return Reading(why=f"there is no PersistentVolumeClaim {claim}", waiting=waited_s < PATIENCE_S)
        except Forbidden:
            return None
        is_bound = (found.get("status") or {}).get("phase") == _BOUND
        if is_bound or serve.spec.engine.device == engine.CPU or render.is_placed(serve):
            return None
        return Reading(why=(
            f"the PersistentVolumeClaim {claim} is not bound, and spec.scheduling does not say on which nodes the "
            "engine may run, so nothing was let bind it"))


def _told(raw: Object, mark: str) -> Reading | None:
    """What the status says was read for such a spec, or for this very one, should a release mark it otherwise."""
    status = Status.read(raw.get("status"))
    is_meant = status.observed_generation == raw["metadata"]["generation"]
    sizing = status.sizing
    return kept_reading(sizing.summary or "") if sizing and (is_meant or sizing.spec_hash == mark) else None
