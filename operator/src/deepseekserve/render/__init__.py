"""Turns a resource into manifests: `workloads` once per revision, to be stored; `children` at each reconcile.

Pure, and byte-identical from one run to the next: literals in a fixed order, no clock, no field that the operator does
not want to own. One builder per child stands in the module of its name.
"""

from collections.abc import Mapping
from typing import Any

from deepseekserve import engine, names
from deepseekserve.api import DeepSeekServe
from deepseekserve.bundle import Bundle
from deepseekserve.render.config_map import config_map
from deepseekserve.render.deployment import deployment
from deepseekserve.render.disruption_budget import disruption_budget
from deepseekserve.render.pod import pod_template
from deepseekserve.render.reader_job import is_placed, reader_job
from deepseekserve.render.refusals import check_pod_template
from deepseekserve.render.service import service
from deepseekserve.render.service_account import service_account
from deepseekserve.revision import Revision, referred_config_maps
from deepseekserve.settings import Settings

__all__ = ["check", "children", "is_placed", "reader", "workloads"]


def check(serve: DeepSeekServe) -> None:
    """Raise InvalidSpec, with the field and the next step, for what the CRD's rules cannot see."""
    engine.check(serve)
    check_pod_template(serve)


def workloads(serve: DeepSeekServe, settings: Settings, agent_config_map: str) -> tuple[Mapping[str, Any], ...]:
    """Render what a new revision stores; raises InvalidSpec when the spec contradicts itself."""
    check(serve)
    template = pod_template(serve, settings, agent_config_map)
    return ({"kind": "Deployment", "name": serve.metadata.name, "template": template},)


def reader(serve: DeepSeekServe, settings: Settings, job: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Render what reads the model: its pod's account, and the Job."""
    return service_account(serve.metadata), reader_job(serve, settings, job)


def children(
    serve: DeepSeekServe, revision: Revision, *, replicas: int, bundle: Bundle, first_less: bool = False,
) -> tuple[dict[str, Any], ...]:
    """Render all children in the order in which they must be applied: what a pod needs comes before the Deployment.

    With `first_less` older pods go before new ones come: they serve nothing, and hold what the new ones wait for.

    The agent's ConfigMap is among them when the revision mounts `bundle`. That of an older agent cannot be rendered
    again: `apply` keeps it as long as a revision refers to it (revision.referred_config_maps).
    """
    name = names.agent_config_map(serve.metadata.name, bundle.hash)
    agents = [config_map(serve.metadata, name, bundle.data)] if name in referred_config_maps([revision]) else []
    return (
        service_account(serve.metadata),
        *agents,
        service(serve.metadata),
        disruption_budget(serve.metadata),
        *(
            deployment(serve.metadata, workload, revision.hash, replicas=replicas, first_less=first_less)
            for workload in revision.workloads
        ),
    )
