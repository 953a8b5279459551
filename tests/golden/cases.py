"""Turns a resource file of this folder into its manifests, as the operator would apply them.

`UPDATE_GOLDENS=1 pytest tests/unit/test_render_golden.py` writes the goldens again; the diff is the review.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deepseekserve import api, names, render, revision
from deepseekserve.bundle import Bundle
from deepseekserve.settings import Settings

FOLDER = Path(__file__).parent
CASES = sorted(path.stem for path in (FOLDER / "resources").glob("*.yaml"))
BUNDLE = Bundle(data=b"not an agent, but as good as one for a golden", hash="0123456789")
REPLICAS_OF_A_CHILD = 2


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def raw(case: str, spec: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The resource as a user wrote it, with `spec` merged over its own."""
    resource: dict[str, Any] = yaml.safe_load((FOLDER / "resources" / f"{case}.yaml").read_text())
    return {**resource, "spec": _merged(resource["spec"], spec or {})}


def serve(case: str, spec: Mapping[str, Any] | None = None) -> api.DeepSeekServe:
    return api.DeepSeekServe.parse(raw(case, spec))


def first_revision(resource: api.DeepSeekServe, settings: Settings = Settings()) -> revision.Revision:  # noqa: B008
    config_map = names.agent_config_map(resource.metadata.name, BUNDLE.hash)
    return revision.make(resource, render.workloads(resource, settings, config_map), [])


def manifests(resource: api.DeepSeekServe) -> list[dict[str, Any]]:
    """All that the operator writes for a new resource, in the order in which it does."""
    first = first_revision(resource)
    children = render.children(resource, first, replicas=REPLICAS_OF_A_CHILD, bundle=BUNDLE)
    return [revision.manifest(first, resource), *children]


def text(objects: list[dict[str, Any]]) -> str:
    return "".join(f"---\n{yaml.dump(o, Dumper=_Plain, sort_keys=False, width=120)}" for o in objects)


def pod_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The pod that the Deployment's controller would make: Pod Security judges pods, and only warns on templates."""
    deployment = next(o for o in objects if o["kind"] == "Deployment")
    template = copy.deepcopy(deployment["spec"]["template"])
    metadata = {**template["metadata"], "name": "judged", "namespace": deployment["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}
