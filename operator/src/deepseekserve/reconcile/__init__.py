"""Turns a key into a resource that is as its spec says, one step nearer each time: `reconcile` orders the whole flow.

I/O; called by the work queue, and by nothing else.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from deepseekserve import engine, render
from deepseekserve.api import DeepSeekServe, InvalidSpec, Status
from deepseekserve.apply import apply, prune, stop
from deepseekserve.diagnose import diagnose
from deepseekserve.facts import UNKNOWN, Facts, Finding, Fit, Reading
from deepseekserve.kube import Key, Kube, KubeError, Object
from deepseekserve.observe import Cache, Observer
from deepseekserve.reconcile.invalid import asks_for_none, finding_of, last_subject
from deepseekserve.reconcile.judging import Judge
from deepseekserve.reconcile.pace import next_look
from deepseekserve.reconcile.publish import Publisher
from deepseekserve.reconcile.reading import Reader
from deepseekserve.reconcile.revisions import Revisions
from deepseekserve.status import Subject, decide, makes_room, passing, wanted_replicas

__all__ = ["Reconciler"]

READING_S = 1.0              # until the next look at a model that is being read


@dataclass(frozen=True)
class Reconciler:
    """What a reconcile works with. Between two of them only the cache and what was last heard are kept."""

    kube: Kube
    cache: Cache
    observer: Observer
    revisions: Revisions
    publisher: Publisher
    judge: Judge
    reader: Reader

    async def reconcile(self, key: Key) -> float | None:
        """Look at one resource; the seconds until the next look, None when only an event asks for one."""
        raw = self.cache.serve(key)
        if raw is None or "deletionTimestamp" in raw["metadata"]:          # garbage collection does the rest
            self.observer.forget(key)
            self.judge.forget(key)
            self.reader.forget(key)
            return None
        delay_s = await self._look(key, raw)
        # An edit that came before our status was written came back with that answer: its event is no news any more.
        overtaken = self.cache.generation(key) not in (None, raw["metadata"]["generation"])
        return 0 if overtaken else delay_s

    async def _look(self, key: Key, raw: Object) -> float | None:
        """The same of a resource as it was read."""
        previous = Status.read(raw.get("status"))
        try:
            serve = DeepSeekServe.parse(raw)
            render.check(serve)
            stored = self.revisions.stored(serve)
            reading = await self.reader.look(serve, raw, stored, datetime.now(UTC))
            if reading and reading.waiting:
                return await self._tell_reading(serve, raw, previous, reading)
            judged = self.judge.judged(serve, reading, stored)
            current = self.revisions.current(serve, stored, judged.serve, reading.text if reading else "")
        except InvalidSpec as error:
            return await self._tell_refused(raw, previous, finding_of(raw, error))
        fit = judged.fit(is_new=not current.created)
        if fit.enforced:
            delay_s = await self._tell_refused(raw, previous, fit.finding, fit)
            await self.reader.end(key)
            return delay_s
        subject = _subject(serve, current.name)
        seen = await self.observer.look(key, current.hash, datetime.now(UTC))
        facts = replace(seen, fit=fit, took=current.took)
        replicas, extra_args = wanted_replicas(subject, previous), serve.spec.engine.extra_args
        first_less = makes_room(subject, previous, facts)
        manifests = self.revisions.manifests(serve, current, replicas, first_less=first_less)
        try:
            outcome = await apply(self.kube, self.cache, raw, manifests)
        except KubeError as error:          # the queue tries again, at longer and longer intervals
            status = decide(subject, previous, facts, diagnose(facts, extra_args), obstacle=str(error))
            await self._tell(raw, previous, status, facts)
            raise
        status = decide(subject, previous, facts, outcome.trouble or diagnose(facts, extra_args))
        await self._tell(raw, previous, status, facts)
        if outcome.complete:
            await self.revisions.note(serve, status, facts)
            await prune(self.kube, self.cache, raw, manifests, self.revisions.kept(serve, status))
            await self.reader.end(key)
        elif replicas == 0:
            await stop(self.kube, self.cache, raw)
        return 0 if wanted_replicas(subject, status) != replicas else next_look(facts, outcome)

    async def _tell_refused(
        self, raw: Object, previous: Status, finding: Finding | None, fit: Fit | None = None,
    ) -> float | None:
        """Say what is wrong with the spec, and what serves meanwhile; render nothing, touch only what shall stop."""
        subject = last_subject(raw, previous, self.cache)
        key = Key(subject.namespace, subject.name)
        facts = replace(await self.observer.look(key, subject.revision_hash, datetime.now(UTC)), fit=fit)
        await self._tell(raw, previous, decide(subject, previous, facts, finding), facts)
        if asks_for_none(raw):
            await stop(self.kube, self.cache, raw)
        return next_look(facts)

    async def _tell_reading(self, serve: DeepSeekServe, raw: Object, previous: Status, reading: Reading) -> float:
        """Say that nothing is decided yet; what runs is of an earlier revision."""
        subject = _subject(serve, previous.current_revision or "")
        seen = await self.observer.look(Key(subject.namespace, subject.name), "", datetime.now(UTC))
        facts = replace(seen, fit=Fit(UNKNOWN, reading.why, pending=True))
        await self._tell(raw, previous, decide(subject, previous, facts, None), facts)
        if subject.suspended:
            await stop(self.kube, self.cache, raw)
        return READING_S

    async def _tell(self, raw: Object, previous: Status, status: Status, facts: Facts) -> None:
        """Publish a status, after those of the phases that passed unseen."""
        for shown in (*passing(previous, status, facts), status):
            await self.publisher.publish(raw, previous, shown)


def _subject(serve: DeepSeekServe, revision: str) -> Subject:
    return Subject(
        name=serve.metadata.name,
        namespace=serve.metadata.namespace,
        generation=serve.metadata.generation,
        replicas=0 if serve.spec.suspended else serve.spec.replicas,
        revision=revision,
        model=engine.served_names(serve)[0],
    )
