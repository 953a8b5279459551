"""Turns a resource into its current revision, stored or newly rendered, and that revision into manifests.

Part of reconcile: the pure modules `revision` and `render` do the work, this one hands them what is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from deepseekserve import names, render, revision
from deepseekserve.api import DeepSeekServe, Status
from deepseekserve.bundle import Bundle
from deepseekserve.kube import Key, Kube, Object
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

    def current(self, serve: DeepSeekServe) -> Revision:
        """The stored revision that the spec means, or a new one, not stored yet; raises InvalidSpec."""
        stored = self._stored(serve)
        found = revision.choose(serve, stored)
        if found:
            return found
        config_map = names.agent_config_map(serve.metadata.name, self.bundle.hash)
        return revision.make(serve, render.workloads(serve, self.settings, config_map), stored)

    def manifests(self, serve: DeepSeekServe, current: Revision, replicas: int) -> tuple[Object, ...]:
        """The revision and all children, in the order in which they must come to be."""
        children = render.children(serve, current, replicas=replicas, bundle=self.bundle)
        return (revision.manifest(current, serve), *children)

    def kept(self, serve: DeepSeekServe, status: Status) -> tuple[Revision, ...]:
        """The stored revisions that are worth keeping."""
        stored = self._stored(serve)
        outdated = revision.prune(stored, status.current_revision, status.last_good_revision)
        return tuple(r for r in stored if r not in outdated)

    async def mark_good(self, serve: DeepSeekServe, status: Status) -> None:
        """Label the last good revision, once."""
        for found in self._stored(serve):
            if found.name == status.last_good_revision and not found.good:
                path = f"/metadata/labels/{names.LABEL_GOOD.replace('/', '~1')}"
                key = Key(serve.metadata.namespace, found.name)
                marked = await self.kube.patch(REVISIONS, key, [{"op": "add", "path": path, "value": "true"}])
                self.cache.put(REVISIONS, marked)

    def _stored(self, serve: DeepSeekServe) -> Sequence[Revision]:
        stored = self.cache.children(REVISIONS, Key(serve.metadata.namespace, serve.metadata.name))
        ours = [raw for raw in stored if names.is_ours(raw["metadata"], serve.metadata.uid)]
        return [parsed for raw in ours if (parsed := revision.parse(raw))]
