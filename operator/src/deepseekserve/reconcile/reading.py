"""Turns a resource whose model nobody knows into a Reading: a Job is made, its pod watched, its message kept.

Part of reconcile; I/O. Read is only for a revision that is new: what was read for one that is stored stands in it.
"""

from dataclasses import dataclass
from datetime import datetime

from deepseekserve import catalog, names, render
from deepseekserve.api import DeepSeekServe
from deepseekserve.apply import apply
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

    async def look(self, serve: DeepSeekServe, raw: Object, stored: Revision | None, now: datetime) -> Reading | None:
        """What is read of the model; None where the catalogue knows it. Raises KubeError."""
        if catalog.find_model(serve.spec.model.source):
            return None
        if stored:
            return _kept(stored)
        if not self.settings.image:
            return UNREAD
        owner, name = key_of(raw), names.reader_job(serve.metadata.name, serve.metadata.generation)
        job = self.cache.child(JOBS, owner, name)
        if job is None or not names.is_ours(job["metadata"], serve.metadata.uid):
            outcome = await apply(self.kube, self.cache, raw, render.reader(serve, self.settings))
            if outcome.trouble:
                return Reading(why=f"nothing reads the model: {outcome.trouble.message}")
            return Reading(why="the pod that reads the model is asked for", waiting=True)
        return parse_reading(self._pods(owner, serve.metadata.generation), job["metadata"]["creationTimestamp"], now)

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
