"""Turns a resource into its current revision, stored or newly rendered, and that revision into manifests.

Part of reconcile: the pure modules `revision` and `render` do the work, this one hands them what is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deepseekserve import names, render, revision
from deepseekserve.api import DeepSeekServe, Status
from deepseekserve.bundle import Bundle
from deepseekserve.facts import Facts, last_took
from deepseekserve.kube import Key, Kube, NotFound, Object, key_of
from deepseekserve.kube.kinds import REVISIONS
from deepseekserve.observe import Cache
from deepseekserve.revision import Revision
from deepseekserve.settings import Settings


@dataclass(frozen=True)
class Revisions:
    """The ControllerRevisions of all resources, as the cache has them."""

    kube: Kube
    cache: Cache
    settings: Settings
    bundle: Bundle

    def stored(self, serve: DeepSeekServe) -> Revision | None:
        """The stored revision that the spec means."""
        return revision.choose(serve, self._stored(serve))

    def current(self, serve: DeepSeekServe, found: Revision | None, decided: DeepSeekServe, read: str) -> Revision:
        """The stored revision that was found, or a new one, not stored yet; raises InvalidSpec.

        A new one is rendered with the numbers that were decided for what the spec leaves to us, and keeps what was read
        of its model.
        """
        if found and found.took:                    # there is nothing that it could learn of the others
            return found
        stored = self._stored(serve)
        if found is None:
            config_map = names.agent_config_map(serve.metadata.name, self.bundle.hash)
            made = revision.make(serve, render.workloads(decided, self.settings, config_map), stored)
            found = replace(made, read=read)
        return revision.informed(found, stored)

    def manifests(
        self, serve: DeepSeekServe, current: Revision, replicas: int, *, first_less: bool,
    ) -> tuple[Object, ...]:
        """The revision and all children, in the order in which they must come to be."""
        children = render.children(serve, current, replicas=replicas, bundle=self.bundle, first_less=first_less)
        return (revision.manifest(current, serve), *children)

    def kept(self, serve: DeepSeekServe, status: Status) -> tuple[Revision, ...]:
        """The stored revisions that are worth keeping."""
        stored = self._stored(serve)
        outdated = revision.prune(stored, status.current_revision, status.last_good_revision)
        return tuple(r for r in stored if r not in outdated)

    async def note(self, serve: DeepSeekServe, status: Status, facts: Facts) -> None:
        """Write on the last good revision that it is, and what its latest start took, where that is news.

        Raises NotFound when it was deleted, and the next look makes it again. By PUT: the API server compares the data
        of a ControllerRevision, which is immutable, byte by byte; every kind of patch would write it in another form.
        """
        known = self.cache.child(REVISIONS, _key(serve), status.last_good_revision or "")
        took = last_took(facts.current) if status.last_good_revision == status.current_revision else None
        if known is None or revision.noted(known, took) is None:
            return
        try:                                    # revisions are not watched: what is known may be old
            live = await self.kube.get(REVISIONS, key_of(known))
        except NotFound:
            self.cache.drop(REVISIONS, known)
            raise
        if names.is_ours(live["metadata"], serve.metadata.uid) and (noted := revision.noted(live, took)):
            live = await self.kube.replace(REVISIONS, noted)
        self.cache.put(REVISIONS, live)

    def _stored(self, serve: DeepSeekServe) -> Sequence[Revision]:
        stored = self.cache.children(REVISIONS, _key(serve))
        ours = [raw for raw in stored if names.is_ours(raw["metadata"], serve.metadata.uid)]
        return [parsed for raw in ours if (parsed := revision.parse(raw))]


def _key(serve: DeepSeekServe) -> Key:
    return Key(serve.metadata.namespace, serve.metadata.name)
