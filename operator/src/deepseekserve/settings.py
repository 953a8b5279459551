"""Turns the operator's environment into frozen Settings, or a typed error that names the variable.

Pure; read once by `operate` and handed down. Every variable is set by the Helm chart.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

PULL_POLICIES = ("IfNotPresent", "Always", "Never")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class InvalidSetting(ValueError):
    """An environment variable of the operator has a value that cannot be used."""


@dataclass(frozen=True)
class Settings:
    """What an administrator decides once for the whole operator; defaults are those of the chart."""

    namespace: str = "deepseekserve-system"             # where the Lease lives
    identity: str = "local"                             # the Lease holder's name: the operator's pod
    image: str = ""                                     # the operator's own; without it no model is read
    gpu_image: str = "docker.io/vllm/vllm-openai:v0.32.0"
    cpu_image: str = "docker.io/vllm/vllm-openai-cpu:v0.32.0"
    image_pull_policy: str = "IfNotPresent"
    watch_namespaces: tuple[str, ...] = ()              # none: the whole cluster
    run_as_user: int | None = 1000                      # None leaves runAsUser out (OpenShift chooses)
    http_port: int = 8080                               # probes and metrics of the operator itself
    workers: int = 10                                   # reconciles at the same time
    resync_seconds: int = 600
    lease_seconds: int = 15
    log_level: str = "INFO"

    def engine_image(self, device: str) -> str:
        """The image of an engine for this kind of device (GPU, CPU) whose resource names none."""
        return self.cpu_image if device == "CPU" else self.gpu_image


def read(environ: Mapping[str, str]) -> Settings:
    """Read Settings from DSS_* variables; raises InvalidSetting with the variable's name."""
    default = Settings()
    return Settings(
        namespace=environ.get("DSS_NAMESPACE") or default.namespace,
        identity=environ.get("DSS_IDENTITY") or default.identity,
        image=environ.get("DSS_IMAGE") or default.image,
        gpu_image=environ.get("DSS_ENGINE_IMAGE_GPU") or default.gpu_image,
        cpu_image=environ.get("DSS_ENGINE_IMAGE_CPU") or default.cpu_image,
        image_pull_policy=_choice(environ, "DSS_IMAGE_PULL_POLICY", PULL_POLICIES, default.image_pull_policy),
        watch_namespaces=_namespaces(environ, "DSS_WATCH_NAMESPACES"),
        run_as_user=_run_as_user(environ, default.run_as_user),
        http_port=_integer(environ, "DSS_HTTP_PORT", default.http_port, (1, 65535)),
        workers=_integer(environ, "DSS_WORKERS", default.workers, (1, 1000)),
        resync_seconds=_integer(environ, "DSS_RESYNC_SECONDS", default.resync_seconds, (10, 86400)),
        lease_seconds=_integer(environ, "DSS_LEASE_SECONDS", default.lease_seconds, (5, 300)),
        log_level=_choice(environ, "DSS_LOG_LEVEL", LOG_LEVELS, default.log_level),
    )


def _integer(environ: Mapping[str, str], key: str, default: int, bounds: tuple[int, int]) -> int:
    text = environ.get(key)
    if not text:
        return default
    low, high = bounds
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise InvalidSetting(f"{key}={text!r}: set a whole number from {low} to {high}")
    return int(text)


def _namespaces(environ: Mapping[str, str], key: str) -> tuple[str, ...]:
    """A list with commas; each once, in the order of the list."""
    found = [name.strip() for name in (environ.get(key) or "").split(",") if name.strip()]
    for name in found:
        if not _NAMESPACE.fullmatch(name):
            raise InvalidSetting(f"{key}={environ[key]!r}: set names of namespaces with commas between, such as a,b")
    return tuple(dict.fromkeys(found))


def _choice(environ: Mapping[str, str], key: str, allowed: tuple[str, ...], default: str) -> str:
    text = environ.get(key) or default
    if text not in allowed:
        raise InvalidSetting(f"{key}={text!r}: set one of {', '.join(allowed)}")
    return text


def _run_as_user(environ: Mapping[str, str], default: int | None) -> int | None:
    if environ.get("DSS_ENGINE_RUN_AS_USER") == "omit":
        return None
    return _integer(environ, "DSS_ENGINE_RUN_AS_USER", default or 1000, (1, 2**31 - 1))
