"""Turns a resource into the Job that reads what sizing needs of its model, where the engine would read it.

Pure; one of render's builders. It asks for no GPU, runs as the engine's user on a node that the engine may run on, so
that a claim that waits for its first consumer is bound there, and says what it found in its termination message. It has
none of the engine's labels: no Service may send it requests, and nobody take it for an engine.
"""

from typing import Any

from deepseekserve import engine, names
from deepseekserve.api import DeepSeekServe
from deepseekserve.render.overlay import overlaid
from deepseekserve.render.pod import container_security, model_mounts, model_volumes, pod_security
from deepseekserve.settings import Settings

DEADLINE_SECONDS = 120                 # a file system that hangs would hold it for ever
KEPT_SECONDS = 600                     # should nobody delete it
# What decides where a pod may run and whether it may read; the rest of both is about the engine.
_PLACEMENT = ("nodeSelector", "tolerations", "affinity", "priorityClassName", "schedulerName")
_OVERLAY = (*_PLACEMENT, "securityContext", "imagePullSecrets", "dnsConfig", "dnsPolicy", "hostAliases")
_REACHES_THE_HUB = frozenset({
    "HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
})


def reader_job(serve: DeepSeekServe, settings: Settings, name: str) -> dict[str, Any]:
    """Render the Job of this name."""
    owner, template = serve.metadata, serve.spec.pod_template
    labels = {names.LABEL_READS: owner.name}
    overlay = {
        "metadata": {"annotations": template.get("metadata", {}).get("annotations", {})},
        "spec": {field: value for field, value in template.get("spec", {}).items() if field in _OVERLAY},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": names.child_metadata(owner, name),
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": overlaid({"metadata": {"labels": labels}, "spec": _pod(serve, settings)}, overlay),
        },
    }


def is_placed(serve: DeepSeekServe) -> bool:
    """Whether the resource says on which nodes its pods run."""
    scheduling, template = serve.spec.scheduling, serve.spec.pod_template.get("spec", {})
    return bool(scheduling.node_selector or scheduling.affinity
                or template.get("nodeSelector") or template.get("affinity"))


def _pod(serve: DeepSeekServe, settings: Settings) -> dict[str, Any]:
    scheduling = serve.spec.scheduling.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "restartPolicy": "Never",
        "serviceAccountName": serve.metadata.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(settings),
        **{name: scheduling[name] for name in _PLACEMENT if scheduling.get(name)},
        "containers": [_container(serve, settings)],
        **_present("volumes", model_volumes(serve)),
    }


def _container(serve: DeepSeekServe, settings: Settings) -> dict[str, Any]:
    return {
        "name": names.READER_CONTAINER,
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",             # what the operator runs from; the setting is about engines
        "command": [engine.escape(part) for part in _command(serve)],
        "env": [variable for variable in engine.environment(serve) if variable["name"] in _REACHES_THE_HUB],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "terminationMessagePath": names.TERMINATION_LOG,
        "securityContext": container_security(),
        **_present("volumeMounts", model_mounts(serve)),
    }


def _present(field: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {field: items} if items else {}


def _command(serve: DeepSeekServe) -> list[str]:
    source = engine.parse_source(serve.spec.model.source)
    what = ["deepseekserve.reader", source.argument] if source.claim else ["deepseekserve.hub", source.argument]
    revision = ["--revision", source.revision] if source.revision else []
    return ["python3", "-m", *what, *revision, "--write", names.TERMINATION_LOG]
