"""Turns a list of manifests into requests: POST what is missing, apply what drifted, touch nothing that is not ours.

I/O; part of apply. Trouble that the owner of the resource can cure is a value (Outcome); all else raises.
"""

import logging
import re
from collections.abc import Iterable
from typing import NamedTuple

from deepseekserve import names
from deepseekserve.agent.reasons import Reason
from deepseekserve.apply.compare import drift
from deepseekserve.facts import Finding
from deepseekserve.kube import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    Kind,
    Kube,
    NamespaceTerminating,
    NotFound,
    Object,
    key_of,
)
from deepseekserve.kube.kinds import BY_KIND, UNWATCHED_CHILDREN
from deepseekserve.logs import fields
from deepseekserve.observe import Cache

# What an apply, a create and a validation say before they come to the point.
_PREAMBLE = re.compile(
    r"^(?:failed to create typed patch object \([^)]*\): [.]?"
    r"|\w+ in version \"[^\"]*\" cannot be handled as an? \w+: (?:strict decoding error: |json: )?"
    r"|[\w.]+ \"[^\"]*\" is invalid: )")
_FIELD = ("Correct the field of the spec that the message objects to; what it calls spec.template is made of "
          "spec.podTemplate and of the other fields.")

log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """What stood in the way: something to be told, or something that passes by itself."""

    trouble: Finding | None = None
    waiting: bool = False             # for an object of a predecessor, or one or a namespace that is being deleted

    @property
    def complete(self) -> bool:
        """Every child is there, as it was rendered."""
        return self.trouble is None and not self.waiting


async def apply(kube: Kube, cache: Cache, serve: Object, manifests: Iterable[Object]) -> Outcome:
    """Bring the children of `serve` into the form of `manifests`, in their order."""
    for manifest in manifests:
        kind = BY_KIND[manifest["kind"]]
        try:
            outcome = await _settle(kube, cache, serve, manifest)
        except NamespaceTerminating:
            return Outcome(waiting=True)
        except (BadRequest, Forbidden, Invalid) as error:
            return Outcome(_refused(kind, manifest, error))
        if not outcome.complete:
            return outcome
    return Outcome()


async def _settle(kube: Kube, cache: Cache, serve: Object, manifest: Object) -> Outcome:
    kind, owner = BY_KIND[manifest["kind"]], key_of(serve)
    live = cache.child(kind, owner, manifest["metadata"]["name"])
    # Nobody tells when a ConfigMap or a ControllerRevision of a predecessor is gone: trying is the only way to know.
    is_news = live and kind in UNWATCHED_CHILDREN and not names.is_ours(live["metadata"], serve["metadata"]["uid"])
    if live is None or is_news:
        try:
            cache.put(kind, await kube.create(kind, manifest))
        except AlreadyExists:
            return await _settle_unseen(kube, cache, serve, manifest)
        log.info("child created", extra=_fields(kind, manifest))
        return Outcome()
    return await _settle_seen(kube, cache, serve, manifest, live)


async def _settle_unseen(kube: Kube, cache: Cache, serve: Object, manifest: Object) -> Outcome:
    """Somebody has the name, and the cache does not know whom: no label of ours, or too new."""
    kind = BY_KIND[manifest["kind"]]
    try:
        live = await kube.get(kind, key_of(manifest))
    except NotFound:
        return Outcome(waiting=True)
    cache.put(kind, live)
    return await _settle_seen(kube, cache, serve, manifest, live)


async def _settle_seen(kube: Kube, cache: Cache, serve: Object, manifest: Object, live: Object) -> Outcome:
    kind, metadata = BY_KIND[manifest["kind"]], live["metadata"]
    if "deletionTimestamp" in metadata or _is_of_predecessor(metadata, serve):
        return Outcome(waiting=True)
    if not names.is_ours(metadata, serve["metadata"]["uid"]):
        return Outcome(_conflict(kind, manifest))
    # ConfigMaps and ControllerRevisions are immutable.
    if kind not in UNWATCHED_CHILDREN and drift(manifest, live):
        await _repair(kube, cache, manifest, metadata["uid"])
    return Outcome()


async def _repair(kube: Kube, cache: Cache, manifest: Object, uid: str) -> None:
    """Apply with the uid as precondition, after a look at the live object itself: the cache may lag."""
    kind, key = BY_KIND[manifest["kind"]], key_of(manifest)
    live = await kube.get(kind, key)
    place = drift(manifest, live)
    if place is None:
        cache.put(kind, live)
        return
    await _own_as_applied(kube, kind, live)
    desired = {**manifest, "metadata": {**manifest["metadata"], "uid": uid}}
    cache.put(kind, await kube.apply(kind, desired))
    log.info("child applied", extra=_fields(kind, manifest, differed=place))


async def _own_as_applied(kube: Kube, kind: Kind, live: Object) -> None:
    """Turn what a POST has made ours into what an apply has: else an apply could not remove a field that was POSTed."""
    while (index := _posted(live)) is not None:
        operations = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": _version(live)},
            {"op": "replace", "path": f"/metadata/managedFields/{index}/operation", "value": "Apply"},
        ]
        try:
            live = await kube.patch(kind, key_of(live), operations)
        except (Conflict, Invalid):         # somebody has just written it: its version is another, or its entries are
            before, live = live, await kube.get(kind, key_of(live))
            if _version(before) == _version(live):
                raise


def _version(live: Object) -> str:
    return str(live["metadata"]["resourceVersion"])


def _posted(live: Object) -> int | None:
    for index, entry in enumerate(live["metadata"].get("managedFields") or ()):
        is_ours = entry.get("manager") == names.FIELD_MANAGER and "subresource" not in entry
        if is_ours and entry.get("operation") == "Update":
            return index
    return None


def _is_of_predecessor(metadata: Object, serve: Object) -> bool:
    """Of a deleted resource of the same name: garbage collection will come for it."""
    name, uid = serve["metadata"]["name"], serve["metadata"]["uid"]
    return any(
        o.get("kind") == names.KIND and o.get("name") == name and o.get("uid") != uid
        for o in metadata.get("ownerReferences") or () if o.get("controller")
    )


def _conflict(kind: Kind, manifest: Object) -> Finding:
    name = manifest["metadata"]["name"]
    return Finding(
        reason=Reason.NAME_CONFLICT,
        message=f"The {kind.kind} {name} in this namespace belongs to somebody else and was left alone.",
        remedy=f"Delete or rename that {kind.kind} (kubectl delete {kind.kind.lower()} {name}), "
               "or make this resource again under another name.",
    )


def _refused(kind: Kind, manifest: Object, error: BadRequest | Forbidden | Invalid) -> Finding:
    cause = _PREAMBLE.sub("", error.message)
    what = f"The API server refuses the {kind.kind} {manifest['metadata']['name']}: {cause}"
    if isinstance(error, BadRequest | Invalid):
        return Finding(Reason.INVALID_SPEC, what, _FIELD)
    if "exceeded quota" in error.message:
        return Finding(Reason.QUOTA_EXCEEDED, what, "Raise the namespace's ResourceQuota, or delete what it counts.")
    return Finding(Reason.ADMISSION_REFUSED, what, "Change the policy, or the operator's permissions, that refuse it.")


def _fields(kind: Kind, manifest: Object, **more: str) -> dict[str, object]:
    return fields(kind=kind.kind, key="/".join(key_of(manifest)), **more)
