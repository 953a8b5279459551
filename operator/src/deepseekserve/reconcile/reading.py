"""Turns a resource whose model nobody knows into a Reading: a Job is made, its pod watched, its message kept.

Part of reconcile; I/O. Read is only for a revision that is new: what was read for one that is stored stands in it. The
Job of a spec that is refused stays, so that an operator that starts anew need not read again.
"""

from dataclasses import dataclass, field
from datetime import datetime

from deepseekserve import catalog, names, render
from deepseekserve.api import DeepSeekServe
from deepseekserve.apply import apply, remove
from deepseekserve.facts import UNREAD, DamagedSummary, Reading, parse_reading, parse_summary
from deepseekserve.kube import Key, Kube, Object, key_of
from deepseekserve.kube.kinds import JOBS, PODS
from deepseekserve.observe import Cache
from deepseekserve.revision import Revision
from deepseekserve.settings import Settings


@dataclass(frozen=True)
class Reader:
    """Reads models where the engine would."""

    kube: Kube
    cache: Cache
    settings: Settings
    _read: dict[Key, tuple[object, Reading]] = field(default_factory=dict)       # what outlives its pod

    async def look(self, serve: DeepSeekServe, raw: Object, stored: Revision | None, now: datetime) -> Reading | None:
        """What is read of the model; None where the catalogue knows it. Raises KubeError."""
        if catalog.find_model(serve.spec.model.source):
            return None
        if stored:
            return _kept(stored)
        if not self.settings.image:
            return UNREAD
        owner, spec = key_of(raw), (serve.metadata.uid, serve.metadata.generation)
        last = self._read.get(owner)
        if last and last[0] == spec:
            return last[1]
        name = names.reader_job(serve.metadata.name, serve.metadata.generation)
        job = self.cache.child(JOBS, owner, name)
        if job is None or not names.is_ours(job["metadata"], serve.metadata.uid):
            return await self._ask(serve, raw)
        found = parse_reading(self._pods(owner, serve.metadata.generation), job["metadata"]["creationTimestamp"], now)
        if found.summary:
            self._read[owner] = (spec, found)
        return found

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._read.pop(key, None)

    async def _ask(self, serve: DeepSeekServe, raw: Object) -> Reading:
        """Make the Job, in place of those for earlier edits."""
        for job in self.cache.children(JOBS, key_of(raw)):
            if names.is_ours(job["metadata"], serve.metadata.uid):
                await remove(self.kube, self.cache, JOBS, job)
        outcome = await apply(self.kube, self.cache, raw, render.reader(serve, self.settings))
        if outcome.trouble:
            return Reading(why=f"nothing reads the model: {outcome.trouble.message}")
        return Reading(why="the pod that reads the model is asked for", waiting=True)

    def _pods(self, owner: Key, generation: int) -> list[Object]:
        label = str(generation)
        return [pod for pod in self.cache.children(PODS, owner)
                if pod["metadata"]["labels"].get(names.LABEL_READS) == label]


def _kept(revision: Revision) -> Reading:
    """What was read when the revision was made."""
    try:
        return Reading(parse_summary(revision.read), revision.read)
    except DamagedSummary:
        return Reading(why="the model's config.json was not known when this revision was made")
