"""One edit of every field of the spec, and what of it shows on the live Deployment; held to `api.effects` by its users.

The unit tests hold each edit to its field's marking, the integration tests to the objects that a real operator makes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.specs import merged

Deployment = Mapping[str, Any]
Seen = Callable[[Deployment], bool]

# Two GPUs, so that both can be shared out; the names that a real API server accepts without any other object.
BASE: dict[str, Any] = {
    "model": {"source": "hf://a/b"},
    "engine": {"maxModelLen": 4096, "env": [{"name": "A", "value": "x"}]},
    "resources": {"gpu": {"count": 2}},
}
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}


@dataclass(frozen=True)
class Edit:
    """A value of a field that is not the one it has in BASE, and how the Deployment shows it, and only then."""

    path: str                          # below spec, as `api.effects` has it
    value: Any
    seen: Seen
    also: Mapping[str, Any] | None = None          # what else of BASE the value needs to be otherwise

    def __str__(self) -> str:
        return self.path

    @property
    def before(self) -> dict[str, Any]:
        """The whole spec without the edit."""
        base: dict[str, Any] = merged(BASE, self.also or {})
        return base

    @property
    def after(self) -> dict[str, Any]:
        """The whole spec with it."""
        change: Any = self.value
        for part in reversed(self.path.split(".")):
            change = {part: change}
        spec: dict[str, Any] = merged(self.before, change)
        return spec


def pod(deployment: Deployment) -> Any:
    """The PodSpec."""
    return deployment["spec"]["template"]["spec"]


def engine(deployment: Deployment) -> Any:
    """The container `engine`."""
    return next(c for c in pod(deployment)["containers"] if c["name"] == "engine")


def argument(*words: str) -> Seen:
    """These words stand one after the other in the engine's or the agent's arguments."""
    def seen(deployment: Deployment) -> bool:
        container = engine(deployment)
        said = [*container["command"], *container["args"]]
        return any(tuple(said[at:at + len(words)]) == words for at in range(len(said)))
    return seen


def of_pod(field: str, value: Any) -> Seen:
    """A field of the PodSpec has this value."""
    return lambda deployment: bool(pod(deployment).get(field) == value)


def of_engine(field: str, value: Any) -> Seen:
    """A field of the engine's container has this value."""
    return lambda deployment: bool(engine(deployment).get(field) == value)


def resource(kind: str, name: str, amount: str) -> Seen:
    """A request or limit of the engine's container."""
    return lambda deployment: bool(engine(deployment)["resources"].get(kind, {}).get(name) == amount)


def variable(name: str, **rest: Any) -> Seen:
    """A variable of the engine's container."""
    return lambda deployment: {"name": name, **rest} in engine(deployment)["env"]


def secret(name: str, key: str) -> dict[str, Any]:
    """What a variable from a Secret is made of."""
    return {"valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


def replicas(number: int) -> Seen:
    """So many pods are asked for."""
    return lambda deployment: bool(deployment["spec"]["replicas"] == number)


def volume(name: str, **source: Any) -> Seen:
    """A volume of the pod has this source."""
    return lambda deployment: any({**v, **source} == v for v in pod(deployment)["volumes"] if v["name"] == name)


def annotated(key: str, value: str) -> Seen:
    """The pods carry this annotation."""
    return lambda d: bool((d["spec"]["template"]["metadata"].get("annotations") or {}).get(key) == value)


# Decides what may be made, and shows on nothing that is there: tests/integration/test_operator_fits.py.
NOT_SHOWN = {"rollout.admission"}
EDITS: tuple[Edit, ...] = (
    Edit("model.source", "pvc://models/r1", argument("vllm", "serve", "/models/r1")),
    Edit("model.servedNames", ["r1"], argument("--served-model-name", "r1")),
    Edit("model.tokenSecretRef", {"name": "hf", "key": "token"}, variable("HF_TOKEN", **secret("hf", "token"))),
    Edit("model.trustRemoteCode", True, argument("--trust-remote-code")),
    Edit("engine.image", "vllm/vllm-openai:v0.33.0", of_engine("image", "vllm/vllm-openai:v0.33.0")),
    Edit("engine.device", "CPU", of_engine("image", "docker.io/vllm/vllm-openai-cpu:v0.32.0"),
         {"resources": {"gpu": {"count": None}}}),
    Edit("engine.dtype", "Float16", argument("--dtype", "float16")),
    Edit("engine.quantization", "AWQ", argument("--quantization", "awq")),
    Edit("engine.maxModelLen", 8192, argument("--max-model-len", "8192")),
    Edit("engine.memoryUtilizationPercent", 80, argument("--gpu-memory-utilization", "0.8")),
    Edit("engine.kvCacheMemory", "8Gi", argument("--kv-cache-memory-bytes", str(8 * 2**30))),
    Edit("engine.kvCacheDtype", "FP8", argument("--kv-cache-dtype", "fp8")),
    Edit("engine.maxNumSeqs", 4, argument("--max-num-seqs", "4")),
    Edit("engine.maxNumBatchedTokens", 4096, argument("--max-num-batched-tokens", "4096")),
    Edit("engine.prefixCaching", False, argument("--no-enable-prefix-caching")),
    Edit("engine.enforceEager", True, argument("--enforce-eager")),
    Edit("engine.extraArgs", ["--seed", "1"], argument("--seed", "1")),
    Edit("engine.env", [{"name": "A", "value": "y"}], variable("A", value="y")),
    Edit("resources.gpu.count", 4, resource("limits", "nvidia.com/gpu", "4")),
    Edit("resources.gpu.resourceName", "amd.com/gpu", resource("limits", "amd.com/gpu", "2")),
    Edit("resources.cpu", 8, resource("requests", "cpu", "8")),
    Edit("resources.memory", "64Gi", resource("limits", "memory", "64Gi")),
    Edit("resources.sharedMemory", "8Gi", volume("shm", emptyDir={"medium": "Memory", "sizeLimit": "8Gi"})),
    Edit("resources.parallelism.tensor", 1, lambda deployment: not argument("--tensor-parallel-size", "2")(deployment)),
    Edit("resources.parallelism.pipeline", 2, argument("--pipeline-parallel-size", "2")),
    Edit("scheduling.nodeSelector", {"zone": "a"}, of_pod("nodeSelector", {"zone": "a"})),
    Edit("scheduling.tolerations", [{"operator": "Exists"}], of_pod("tolerations", [{"operator": "Exists"}])),
    Edit("scheduling.affinity", {"nodeAffinity": {}}, of_pod("affinity", {"nodeAffinity": {}})),
    Edit("scheduling.topologySpreadConstraints", [SPREAD],
         lambda deployment: pod(deployment).get("topologySpreadConstraints", [{}])[0].get("topologyKey") == "zone"),
    Edit("scheduling.priorityClassName", "high", of_pod("priorityClassName", "high")),
    Edit("scheduling.runtimeClassName", "nvidia", of_pod("runtimeClassName", "nvidia")),
    Edit("scheduling.schedulerName", "volcano", of_pod("schedulerName", "volcano")),
    Edit("replicas", 2, replicas(2)),
    Edit("startup.stallSeconds", 60, argument("--stall-seconds", "60")),
    Edit("rollout.drainSeconds", 0, of_pod("terminationGracePeriodSeconds", 30)),
    Edit("access.apiKeySecretRef", {"name": "keys", "key": "key"}, variable("VLLM_API_KEY", **secret("keys", "key"))),
    Edit("podTemplate", {"metadata": {"annotations": {"team": "a"}}}, annotated("team", "a")),
    Edit("suspended", True, replicas(0)),
    Edit("restartedAt", "2026-11-24T12:00:00Z", annotated("deepseekserve.io/restarted-at", "2026-11-24T12:00:00Z")),
)
