"""Turns a resource into the pod template that a revision stores: the engine, run by the agent, in one container.

Pure; one of render's builders. The pod meets Pod Security `restricted`. Of the resources, memory is request and limit,
CPU is a request only (a limit would throttle the engine in the middle of a token), GPUs are limits.
"""

from collections.abc import Mapping
from typing import Any

from deepseekserve import engine, names
from deepseekserve.api import DeepSeekServe
from deepseekserve.render.overlay import overlaid
from deepseekserve.settings import Settings

GRACE_AFTER_DRAIN_SECONDS = 30          # for SIGTERM to the engine, its teardown, and SIGKILL

Manifest = dict[str, Any]


def pod_template(serve: DeepSeekServe, settings: Settings, agent_config_map: str) -> Manifest:
    """Render the pod template, without the label of its revision, whose hash is not known yet."""
    return overlaid(_operators(serve, settings, agent_config_map), serve.spec.pod_template)


def _operators(serve: DeepSeekServe, settings: Settings, agent_config_map: str) -> Manifest:
    """The pod template without what spec.podTemplate says."""
    metadata: Manifest = {"labels": names.labels(serve.metadata.name)}
    if serve.spec.restarted_at:
        metadata["annotations"] = {names.ANNOTATION_RESTARTED_AT: serve.spec.restarted_at}
    return {
        "metadata": metadata,
        "spec": {
            "serviceAccountName": serve.metadata.name,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,          # a Service called `vllm` would inject VLLM_PORT
            "terminationGracePeriodSeconds": serve.spec.rollout.drain_seconds + GRACE_AFTER_DRAIN_SECONDS,
            "securityContext": pod_security(settings),
            **_scheduling(serve),
            "containers": [_container(serve, settings)],
            "volumes": _volumes(serve, agent_config_map),
        },
    }


def _container(serve: DeepSeekServe, settings: Settings) -> Manifest:
    container = {
        "name": names.ENGINE_CONTAINER,
        "image": serve.spec.engine.image or settings.engine_image(serve.spec.engine.device),
        "imagePullPolicy": settings.image_pull_policy,
        "command": [engine.escape(part) for part in _agent(serve)],
        "args": [engine.escape(part) for part in engine.argv(serve)],
        "env": engine.environment(serve),
        "ports": [
            {"name": names.ENGINE_PORT_NAME, "containerPort": names.ENGINE_PORT, "protocol": "TCP"},
            {"name": names.AGENT_PORT_NAME, "containerPort": names.AGENT_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": _probe("/ready", period_seconds=1),
        "livenessProbe": _probe("/live", period_seconds=10),
        "terminationMessagePolicy": "FallbackToLogsOnError",          # for the case that the agent itself is killed
        "securityContext": container_security(),
        "volumeMounts": _mounts(serve),
    }
    resources = _resources(serve)
    return {**container, "resources": resources} if resources else container


def _agent(serve: DeepSeekServe) -> list[str]:
    """The agent's own command line, up to the -- behind which the engine's begins."""
    return [
        "python3", f"{names.AGENT_MOUNT}/{names.AGENT_FILE}",
        "--port", str(names.AGENT_PORT),
        "--engine-port", str(names.ENGINE_PORT),
        "--model", engine.served_names(serve)[0],
        "--stall-seconds", str(serve.spec.startup.stall_seconds),
        "--drain-seconds", str(serve.spec.rollout.drain_seconds),
        *(["--guard"] if serve.spec.access.api_key_secret_ref else []),
        "--",
    ]


def _probe(path: str, *, period_seconds: int) -> Manifest:
    """There is no startupProbe: its budget is finite, and the agent ends stalled starts itself."""
    return {
        "httpGet": {"path": path, "port": names.AGENT_PORT_NAME},
        "periodSeconds": period_seconds,
        "timeoutSeconds": 5,
        "failureThreshold": 3,
    }


def _resources(serve: DeepSeekServe) -> Manifest:
    asked = serve.spec.resources
    requests = _present({"cpu": asked.cpu, "memory": asked.memory})
    devices = {asked.gpu.resource_name: str(engine.gpu_count(serve))} if engine.gpu_count(serve) else {}
    limits = {**_present({"memory": asked.memory}), **devices}
    return {key: value for key, value in {"requests": requests, "limits": limits}.items() if value}


def pod_security(settings: Settings) -> Manifest:
    """As Pod Security `restricted` wants it, for the whole pod."""
    return {
        "runAsNonRoot": True,
        **_present({"runAsUser": settings.run_as_user}),
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> Manifest:
    """The same for each container."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def model_volumes(serve: DeepSeekServe) -> list[Manifest]:
    """The claim that the model is in; none for a model of the hub."""
    claim = engine.parse_source(serve.spec.model.source).claim
    return [{"name": "models", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}] if claim else []


def model_mounts(serve: DeepSeekServe) -> list[Manifest]:
    """Where a container finds the model."""
    return [{"name": volume["name"], "mountPath": names.MODEL_MOUNT, "readOnly": True}
            for volume in model_volumes(serve)]


def _mounts(serve: DeepSeekServe) -> list[Manifest]:
    return [
        {"name": names.AGENT_VOLUME, "mountPath": names.AGENT_MOUNT, "readOnly": True},
        *model_mounts(serve),
        {"name": "cache", "mountPath": names.CACHE_MOUNT},
        {"name": "tmp", "mountPath": names.TMP_MOUNT},
        {"name": "shm", "mountPath": names.SHM_MOUNT},
    ]


def _volumes(serve: DeepSeekServe, agent_config_map: str) -> list[Manifest]:
    size = _present({"sizeLimit": serve.spec.resources.shared_memory})
    return [
        {"name": names.AGENT_VOLUME, "configMap": {"name": agent_config_map}},
        *model_volumes(serve),
        {"name": "cache", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "shm", "emptyDir": {"medium": "Memory", **size}},
    ]


def _scheduling(serve: DeepSeekServe) -> Manifest:
    """Pass on what the user said: the fields of spec.scheduling are a pod's, by the same names."""
    asked = serve.spec.scheduling.model_dump(mode="json", by_alias=True, exclude_none=True)
    # To Kubernetes a constraint without a selector counts no pods, and so spreads nothing.
    ours = {"labelSelector": {"matchLabels": names.labels(serve.metadata.name)}}
    asked["topologySpreadConstraints"] = [{**ours, **constraint} for constraint in asked["topologySpreadConstraints"]]
    return {name: value for name, value in asked.items() if value}


def _present(fields: Mapping[str, Any]) -> Manifest:
    return {name: value for name, value in fields.items() if value is not None}
