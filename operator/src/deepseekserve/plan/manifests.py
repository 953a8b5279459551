"""Turns a resource into what the operator would write for it, as YAML.

Pure but for the agent's sources, which are hashed. Settings are the chart's defaults; the agent itself is left out of
its ConfigMap, as nobody reads a zip.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from deepseekserve import api, bundle, names, render, revision
from deepseekserve.settings import Settings


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def manifests(serve: api.DeepSeekServe) -> Iterator[Mapping[str, Any]]:
    """The resource's children, in the order in which they are applied."""
    agent = bundle.Bundle(data=b"", hash=bundle.build().hash)
    config_map = names.agent_config_map(serve.metadata.name, agent.hash)
    first = revision.make(serve, render.workloads(serve, Settings(), config_map), [])
    yield revision.manifest(first, serve)
    yield from render.children(serve, first, replicas=serve.spec.replicas, bundle=agent)


def comment(text: str) -> str:
    """A comment of one line, whatever the text is."""
    return f"# {' '.join(text.split())}\n"


def to_yaml(heading: str, serve: api.DeepSeekServe) -> str:
    """The manifests as documents, below a comment."""
    documents = (yaml.dump(manifest, Dumper=_Plain, sort_keys=False, width=120) for manifest in manifests(serve))
    return comment(heading) + "".join(f"---\n{document}" for document in documents)
