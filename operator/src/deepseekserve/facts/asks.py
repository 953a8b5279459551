"""Turns a pod's spec into what it asks of a node and of its namespace, each with the field of ours that asks for it.

Pure; one of the parsers of facts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from deepseekserve import names

Raw = Mapping[str, Any]

_TEMPLATE = "spec.podTemplate"
_OWN_ENV = {
    "HF_TOKEN": "spec.model.tokenSecretRef (or HF_TOKEN in spec.engine.env)",
    "VLLM_API_KEY": "spec.access.apiKeySecretRef",
}
_KINDS = {"secretKeyRef": "Secret", "secretRef": "Secret", "configMapKeyRef": "ConfigMap", "configMapRef": "ConfigMap"}
_BUILT_IN = frozenset({"emptyDir", "secret", "configMap", "projected", "downwardAPI"})
_FIRST = ("memory", "cpu")


@dataclass(frozen=True)
class Reference:
    """A Secret or ConfigMap, or a key in it, that the pod cannot start without."""

    kind: str
    name: str
    field: str                    # where our spec says so
    key: str = ""
    volume: str = ""              # the pod's volume that is made of it


@dataclass(frozen=True)
class Asks:
    """What one pod asks for."""

    amounts: tuple[tuple[str, str], ...] = ()       # of a node, for the engine's container: devices, memory, cpu
    memory_limit: str = ""                          # of the engine's container
    images: tuple[tuple[str, str], ...] = ()        # by container
    volumes: tuple[tuple[str, str], ...] = ()       # by name, each with its PersistentVolumeClaim where it is of one
    built_in: frozenset[str] = frozenset()          # volumes, by name, that the kubelet makes with no driver
    tolerations: tuple[Raw, ...] = ()
    references: tuple[Reference, ...] = ()

    @property
    def claims(self) -> tuple[str, ...]:
        """All PersistentVolumeClaims."""
        return tuple(claim for _, claim in self.volumes if claim)


def parse_asks(spec: Raw) -> Asks:
    """Read the spec of a pod."""
    engine: Raw = next((c for c in spec.get("containers") or () if c.get("name") == names.ENGINE_CONTAINER), {})
    resources, volumes = engine.get("resources") or {}, spec.get("volumes") or ()
    limits = resources.get("limits") or {}
    amounts = {**limits, **(resources.get("requests") or {})}         # the API server makes requests of limits
    return Asks(
        amounts=tuple(sorted(amounts.items(), key=_rank)),
        memory_limit=limits.get("memory") or "",
        images=tuple((str(each.get("name")), each.get("image") or "") for each in _containers(spec)),
        volumes=tuple((str(volume.get("name")), _claim(volume)) for volume in volumes),
        built_in=frozenset(str(volume.get("name")) for volume in volumes if _BUILT_IN & volume.keys()),
        tolerations=tuple(spec.get("tolerations") or ()),
        references=(*_of_containers(spec), *(found for volume in volumes for found in _of_volume(volume))),
    )


def _claim(volume: Raw) -> str:
    return (volume.get("persistentVolumeClaim") or {}).get("claimName") or ""


def _rank(amount: tuple[str, str]) -> tuple[int, str]:
    """Devices first: they are what is scarce."""
    return (_FIRST.index(amount[0]) if amount[0] in _FIRST else -1), amount[0]


def _containers(spec: Raw) -> Iterator[Raw]:
    return chain(spec.get("initContainers") or (), spec.get("containers") or ())


def _of_containers(spec: Raw) -> Iterator[Reference]:
    for container in _containers(spec):
        ours = container.get("name") == names.ENGINE_CONTAINER
        for variable in container.get("env") or ():
            name = variable.get("name")
            field = _OWN_ENV.get(name, f"{name} in spec.engine.env or {_TEMPLATE}") if ours else _TEMPLATE
            yield from _referred(variable.get("valueFrom") or {}, field)
        for source in container.get("envFrom") or ():
            yield from _referred(source, _TEMPLATE)


def _referred(source: Raw, field: str) -> Iterator[Reference]:
    for form, kind in _KINDS.items():
        if found := source.get(form):
            yield Reference(kind, found.get("name") or "", field, key=found.get("key") or "")


def _of_volume(volume: Raw) -> Iterator[Reference]:
    name = volume.get("name") or ""
    projected = (volume.get("projected") or {}).get("sources") or ()
    for source in (volume, *projected) if name != names.AGENT_VOLUME else ():
        if secret := source.get("secret"):
            yield Reference("Secret", secret.get("secretName") or secret.get("name") or "", _TEMPLATE, volume=name)
        if config := source.get("configMap"):
            yield Reference("ConfigMap", config.get("name") or "", _TEMPLATE, volume=name)
