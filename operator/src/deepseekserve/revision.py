"""Turns a spec into its revision: a pod template that is kept, so that no new operator or default rolls it again.

Pure; stands between the resource and `render.children`. A revision is stored as a ControllerRevision `<name>-<hash>`;
`choose` says which stored one the spec means, `make` makes the one that is missing, `prune` says which may go. What is
learned of a revision while it runs stands in the ControllerRevision's metadata: `noted` writes it, `informed` reads it.
"""

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deepseekserve import api, names
from deepseekserve.facts import Took, parse_took

SCHEMA = 1                     # of ControllerRevision.data
HASH_LENGTH = 10
KEEP = 10                      # old revisions beside the current and the last good one


@dataclass(frozen=True)
class Revision:
    """One stored answer of `render.workloads` to one spec."""

    name: str
    hash: str
    spec: Mapping[str, Any]                        # the fields that roll, defaults applied when it was made
    workloads: tuple[Mapping[str, Any], ...]       # kind, name and pod template of each
    good: bool                                     # has served
    number: int                                    # the newest is the highest
    created: str                                   # RFC 3339; empty until it is stored
    took: Took | None = None                       # its last start, or one like it
    read: str = ""                                 # of the model, by the reader, before it was made

    @property
    def arguments(self) -> tuple[str, ...]:
        """What its engine is started with."""
        return tuple(map(str, self._engine.get("args") or ()))

    @property
    def image(self) -> str:
        """The image of its engine."""
        return str(self._engine.get("image") or "")

    @property
    def _engine(self) -> Mapping[str, Any]:
        containers = self.workloads[0]["template"]["spec"]["containers"] if self.workloads else ()
        found: Mapping[str, Any] = next((c for c in containers if c["name"] == names.ENGINE_CONTAINER), {})
        return found


def parse(raw: Mapping[str, Any]) -> Revision | None:
    """Read a ControllerRevision; None when it is not one of ours, or written by hand or by a later release."""
    metadata, data = raw.get("metadata"), raw.get("data")
    if not isinstance(metadata, Mapping) or not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
        return None
    labels, spec, workloads = metadata.get("labels"), data.get("spec"), data.get("workloads")
    if not isinstance(labels, Mapping) or names.LABEL_REVISION not in labels or not isinstance(spec, Mapping):
        return None
    if not isinstance(workloads, list) or not workloads or not all(map(_is_workload, workloads)):
        return None
    return Revision(
        name=str(metadata.get("name")),
        hash=str(labels[names.LABEL_REVISION]),
        spec=spec,
        workloads=tuple(workloads),
        good=labels.get(names.LABEL_GOOD) == "true",
        number=raw["revision"] if isinstance(raw.get("revision"), int) else 0,
        created=str(metadata.get("creationTimestamp") or ""),
        took=parse_took((metadata.get("annotations") or {}).get(names.ANNOTATION_TOOK)),
        read=str((metadata.get("annotations") or {}).get(names.ANNOTATION_READ) or ""),
    )


def choose(serve: api.DeepSeekServe, stored: Iterable[Revision]) -> Revision | None:
    """Find the stored revision that the live spec means; the newest, should there be two; None when there is none."""
    meant = [revision for revision in stored if api.same_pods(revision.spec, serve.spec)]
    return max(meant, key=lambda revision: revision.number, default=None)


def spec_hash(serve: api.DeepSeekServe) -> str:
    """What is the same for two specs of which the pods are the same."""
    return _hash(api.rolling(serve.spec), 0)


def make(serve: api.DeepSeekServe, workloads: Sequence[Mapping[str, Any]], stored: Sequence[Revision]) -> Revision:
    """Make the revision of the live spec, numbered after the stored ones and named like none of them."""
    spec = api.rolling(serve.spec)
    taken = {revision.hash for revision in stored}
    revision_hash = next(h for h in (_hash(spec, salt) for salt in range(len(taken) + 1)) if h not in taken)
    return Revision(
        name=names.revision_name(serve.metadata.name, revision_hash),
        hash=revision_hash,
        spec=spec,
        workloads=tuple(workloads),
        good=False,
        number=max((revision.number for revision in stored), default=0) + 1,
        created="",
    )


def manifest(revision: Revision, serve: api.DeepSeekServe) -> dict[str, Any]:
    """Write the revision as the ControllerRevision that stores it."""
    labels = {**names.labels(serve.metadata.name), names.LABEL_REVISION: revision.hash}
    if revision.good:
        labels[names.LABEL_GOOD] = "true"
    metadata = names.child_metadata(serve.metadata, revision.name)
    read = {"annotations": {names.ANNOTATION_READ: revision.read}} if revision.read else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {**metadata, "labels": labels, **read},
        "revision": revision.number,
        "data": copy.deepcopy({
            "schema": SCHEMA, "spec": dict(revision.spec), "workloads": [dict(w) for w in revision.workloads],
        }),
    }


def noted(raw: Mapping[str, Any], took: Took | None) -> dict[str, Any] | None:
    """Write into a ControllerRevision that it has served, and what a start took; None when it says so already."""
    metadata = raw["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    is_news = took and took.is_news_to(parse_took(annotations.get(names.ANNOTATION_TOOK)))
    if labels.get(names.LABEL_GOOD) == "true" and not is_news:
        return None
    told = {names.ANNOTATION_TOOK: took.text} if took and is_news else {}
    return {**raw, "metadata": {
        **metadata, "labels": {**labels, names.LABEL_GOOD: "true"}, "annotations": {**annotations, **told},
    }}


def informed(revision: Revision, stored: Iterable[Revision]) -> Revision:
    """Let a revision that has never served expect of a start what it took the newest one like it."""
    if revision.took:
        return revision
    alike = (other for other in stored if other.took and _burden(other) == _burden(revision))
    return replace(revision, took=max(alike, key=lambda other: other.number, default=revision).took)


def prune(
    stored: Iterable[Revision], current: str | None, last_good: str | None, keep: int = KEEP,
) -> tuple[Revision, ...]:
    """Say which may be deleted: all but the current one, the last good one and the newest `keep` of the others.

    `current` and `last_good` are names; without a last good name the newest good one is kept.
    """
    ordered = sorted(stored, key=lambda revision: (revision.number, revision.created), reverse=True)
    newest_good = next((revision.name for revision in ordered if revision.good), None)
    others = [revision for revision in ordered if revision.name not in {current, last_good, newest_good}]
    return tuple(others[keep:])


def referred_config_maps(revisions: Iterable[Revision]) -> frozenset[str]:
    """Name the ConfigMaps that the pods of these revisions mount: an old one must stay as long as its revision."""
    return frozenset(
        name
        for revision in revisions
        for workload in revision.workloads
        for name in _agents(workload["template"]["spec"])
    )


def _agents(pod: Mapping[str, Any]) -> Iterator[str]:
    for volume in pod["volumes"]:
        match volume:
            case {"name": names.AGENT_VOLUME, "configMap": {"name": str(name)}}:
                yield name


def _burden(revision: Revision) -> object:
    """What decides how long a start takes: the model, the engine's image, and where it runs."""
    engine, pod = revision.spec.get("engine") or {}, revision.workloads[0]["template"]["spec"]
    container: Mapping[str, Any] = next((c for c in pod["containers"] if c["name"] == names.ENGINE_CONTAINER), {})
    limits = (container.get("resources") or {}).get("limits") or {}
    devices = {name: count for name, count in limits.items() if "/" in name}
    return (
        (revision.spec.get("model") or {}).get("source"), engine.get("enforceEager"), container.get("image"), devices,
        pod.get("nodeSelector"), pod.get("affinity"),
    )


def _is_workload(value: object) -> bool:
    """Tell whether `value` has the parts that are read: kind, name, a template with labels, containers and volumes."""
    match value:
        case {
            "kind": "Deployment", "name": str(),
            "template": {"metadata": {"labels": {}}, "spec": {"containers": containers, "volumes": volumes}},
        }:
            return _is_named_list(containers) and _is_named_list(volumes)
        case _:
            return False


def _is_named_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) and "name" in item for item in value)


def _hash(spec: Mapping[str, Any], salt: int) -> str:
    text = json.dumps([spec, salt] if salt else spec, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]
