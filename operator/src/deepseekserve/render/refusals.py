"""Turns `spec.podTemplate` into InvalidSpec where it would break the agent's container or reach into the node.

Pure; stands before rendering, as the CRD's rules cannot look into the field. What is merely wrong, the API server says.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deepseekserve import engine, names
from deepseekserve.api import DeepSeekServe, InvalidSpec
from deepseekserve.render.overlay import identities

ROOT = "spec.podTemplate"
CONTAINERS = ("containers", "initContainers")
NAMED = (*CONTAINERS, "volumes")
PORTS = (names.ENGINE_PORT, names.AGENT_PORT)
PLACES = (names.AGENT_MOUNT, names.MODEL_MOUNT, "/dev/termination-log")

_LABELS = "pod-template-hash"          # the Deployment's controller finds its pods by it
_AGENT = "the agent, which is what tells of starts and failures, is started by it"
_PROBES = "the agent answers the probes, and ends stalled starts itself"
_REPORT = "the agent's last report is written there"

# Field of the pod -> what to do; refused where it is set and not false.
POD: Mapping[str, str] = {
    "hostNetwork": "an engine's pod stays out of its node's network: remove it",
    "hostPID": "an engine's pod stays out of its node's processes: remove it",
    "hostIPC": "an engine's pod stays out of its node's memory segments: remove it",
    "shareProcessNamespace": "the agent must be the first process of its container: remove it",
    "terminationGracePeriodSeconds": "it follows from spec.rollout.drainSeconds: set that, and remove it",
}
# Field of the container `engine` -> what to do.
ENGINE: Mapping[str, str] = {
    "image": "set spec.engine.image, and remove it",
    "command": f"{_AGENT}: remove it",
    "args": f"{_AGENT}: set spec.engine.extraArgs for the engine, and remove it",
    "lifecycle": "the agent sees to the end of the engine, in order: set spec.rollout.drainSeconds, and remove it",
    "livenessProbe": f"{_PROBES}: remove it",
    "readinessProbe": f"{_PROBES}: remove it",
    "startupProbe": f"{_PROBES}: set spec.startup.stallSeconds, and remove it",
    "terminationMessagePath": f"{_REPORT}: remove it",
    "terminationMessagePolicy": f"{_REPORT}: remove it",
}
VOLUMES: Mapping[str, str] = {
    names.AGENT_VOLUME: "is the agent's: choose another name",
    "models": "is where spec.model.source is: set that, or choose another name",
}


def check_pod_template(serve: DeepSeekServe) -> None:
    """Raise InvalidSpec for the first thing in `spec.podTemplate` that is refused."""
    for place, problem in _problems(serve, serve.spec.pod_template):
        raise InvalidSpec(f"{place}: {problem}")


def _problems(serve: DeepSeekServe, overlay: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each check relies on those before it: nobody asks for more than the first problem."""
    yield from _directives(ROOT, overlay)
    metadata, pod = overlay.get("metadata", {}), overlay.get("spec", {})
    yield from _of_metadata(f"{ROOT}.metadata", metadata)
    yield from _shapes(f"{ROOT}.spec", pod)
    yield from _of_pod(f"{ROOT}.spec", pod, serve.metadata.name)
    for field in CONTAINERS:
        for container in pod.get(field, ()):
            yield from _of_container(f"{ROOT}.spec.{field}[{container['name']}]", container, serve)
    for volume in pod.get("volumes", ()):
        yield from _of_volume(f"{ROOT}.spec.volumes[{volume['name']}]", volume)


def _directives(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """A strategic merge patch would obey them; this is none, and would hand them on."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key.startswith("$"):
                yield f"{place}.{key}", "is a patch's directive, and this is no patch: remove it"
            yield from _directives(f"{place}.{key}", item)
    elif isinstance(value, list):
        yield from _repeated(place, value)
        for index, item in enumerate(value):
            yield from _directives(f"{place}[{index}]", item)


def _repeated(place: str, items: Sequence[Any]) -> Iterator[tuple[str, str]]:
    found = identities(place.rpartition(".")[2], items) or []
    for index, identity in enumerate(found):
        if identity in found[:index]:
            yield f"{place}[{index}]", f"{'/'.join(map(str, identity))} stands there twice: remove one of the two"


def _of_metadata(place: str, metadata: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(metadata, Mapping):
        yield place, "set a map with labels, annotations or both"
    for field, entries in metadata.items():
        if field not in ("labels", "annotations"):
            yield f"{place}.{field}", "is the operator's: remove it; labels and annotations can be set"
        elif not isinstance(entries, Mapping):
            yield f"{place}.{field}", "set a map of keys to texts"
        else:
            yield from _keys(f"{place}.{field}", entries)


def _keys(place: str, entries: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in entries.items():
        domain = key.rpartition("/")[0]
        if domain == names.GROUP or domain.endswith(f".{names.GROUP}") or key == _LABELS:
            yield f"{place}[{key}]", "the pods are found and described by it: choose another key"
        if not isinstance(value, str):
            yield f"{place}[{key}]", f"set a text: write {str(value).lower()!r} in quotes"


def _shapes(place: str, pod: Any) -> Iterator[tuple[str, str]]:
    """What the checks below and the merge rely on."""
    if not isinstance(pod, Mapping):
        yield place, "set a map with fields of a PodSpec"
    for field in NAMED:
        if not isinstance(pod.get(field, []), list):
            yield f"{place}.{field}", "set a list"
        for index, item in enumerate(pod.get(field, [])):
            if not isinstance(item, Mapping) or not isinstance(item.get("name"), str) or not item["name"]:
                yield f"{place}.{field}[{index}]", "give it a name, which says what it is merged with"
    for field in CONTAINERS:
        for container in pod.get(field, ()):
            yield from _lists_of_maps(f"{place}.{field}[{container['name']}]", container)


def _lists_of_maps(place: str, container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field, key in (("env", "name"), ("volumeMounts", "mountPath"), ("ports", "containerPort")):
        items = container.get(field, [])
        if not isinstance(items, list) or not all(isinstance(item, Mapping) and key in item for item in items):
            yield f"{place}.{field}", f"set a list of maps, each with its {key}"


def _of_pod(place: str, pod: Mapping[str, Any], name: str) -> Iterator[tuple[str, str]]:
    for field, advice in POD.items():
        if pod.get(field, False) is not False:
            yield f"{place}.{field}", advice
    for field in ("serviceAccountName", "serviceAccount"):
        if pod.get(field, name) != name:
            yield f"{place}.{field}", f"the pods run as their own ServiceAccount: remove it, and bind roles to {name!r}"
    yield from _security(place, pod)


def _security(place: str, part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    context = part.get("securityContext", {})
    windows = context.get("windowsOptions", {}) if isinstance(context, Mapping) else {}
    if isinstance(context, Mapping) and context.get("privileged", False) is not False:
        yield f"{place}.securityContext.privileged", "a privileged container is root on its node: remove it"
    if isinstance(windows, Mapping) and windows.get("hostProcess", False) is not False:
        yield f"{place}.securityContext.windowsOptions.hostProcess", "an engine's pod stays out of its node: remove it"


def _of_container(place: str, container: Mapping[str, Any], serve: DeepSeekServe) -> Iterator[tuple[str, str]]:
    yield from _security(place, container)
    for port in container.get("ports", ()):
        if port["containerPort"] in PORTS and port.get("protocol", "TCP") == "TCP":
            yield f"{place}.ports[{port['containerPort']}]", "the engine and its agent listen there: choose another"
    if container["name"] != names.ENGINE_CONTAINER:
        return
    for field in ENGINE:
        if field in container:
            yield f"{place}.{field}", ENGINE[field]
    for mount in container.get("volumeMounts", ()):
        if _hides(str(mount["mountPath"])):
            yield f"{place}.volumeMounts[{mount['mountPath']}]", "would hide what the agent needs: choose another path"
    for variable in container.get("env", ()):
        problem = engine.environment_problem(serve, str(variable["name"]))
        if problem:
            yield f"{place}.env[{variable['name']}]", problem


def _hides(path: str) -> bool:
    """Tell whether a mount at `path` would lie over, within or under one of the agent's own."""
    mounted = posixpath.normpath(f"/{path}").replace("//", "/").rstrip("/") + "/"
    return any(f"{place}/".startswith(mounted) or mounted.startswith(f"{place}/") for place in PLACES)


def _of_volume(place: str, volume: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if volume["name"] in VOLUMES:
        yield place, VOLUMES[volume["name"]]
    if "hostPath" in volume:
        yield f"{place}.hostPath", "an engine's pod stays out of its node's files: use a PersistentVolumeClaim"
