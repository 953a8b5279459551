"""Turns the wanted children, and the revisions worth keeping, into deletions of the rest.

I/O; part of apply. Deleted is only what carries our label and is controlled by this very resource, by uid.
"""

import logging
from collections.abc import Collection, Iterable

from deepseekserve import names
from deepseekserve.kube import Key, Kind, Kube, Object, key_of
from deepseekserve.kube.kinds import BY_KIND, CONFIG_MAPS, PODS, REVISIONS, UNWATCHED_CHILDREN, WATCHED_CHILDREN
from deepseekserve.logs import fields
from deepseekserve.observe import Cache
from deepseekserve.revision import Revision, referred_config_maps

log = logging.getLogger(__name__)


async def prune(
    kube: Kube, cache: Cache, serve: Object, manifests: Iterable[Object], kept: Collection[Revision],
) -> None:
    """Delete children that are neither among `manifests` nor needed by the revisions in `kept`."""
    wanted = {(BY_KIND[m["kind"]], m["metadata"]["name"]) for m in manifests}
    wanted |= {(CONFIG_MAPS, name) for name in referred_config_maps(kept)}
    wanted |= {(REVISIONS, revision.name) for revision in kept}
    owner, uid = key_of(serve), serve["metadata"]["uid"]
    for kind in (*(k for k in WATCHED_CHILDREN if k is not PODS), *UNWATCHED_CHILDREN):
        for child in cache.children(kind, owner):
            if (kind, child["metadata"]["name"]) not in wanted and names.is_ours(child["metadata"], uid):
                await _delete(kube, cache, kind, child)


async def _delete(kube: Kube, cache: Cache, kind: Kind, child: Object) -> None:
    if "deletionTimestamp" in child["metadata"]:
        return
    key: Key = key_of(child)
    await kube.delete(kind, key, child["metadata"]["uid"])
    if kind in UNWATCHED_CHILDREN:
        cache.drop(kind, child)
    log.info("child pruned", extra=fields(kind=kind.kind, key="/".join(key)))
