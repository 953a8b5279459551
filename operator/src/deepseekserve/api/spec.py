"""The fields of `spec`, but for the engine's: what a user may ask for, with defaults, bounds and rules.

Pure; descriptions become the CRD's and the reference page's. Every field says whether an edit of it rolls the pods.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from deepseekserve.api.engine import Engine
from deepseekserve.api.forms import AUTO, Amount, AutoOr, Core, Flag, Items, Keys, Moment, Text, Whole
from deepseekserve.api.group import Group, Rule
from deepseekserve.api.marking import Live, Rolling
from deepseekserve.api.overlay import PodOverlay

_DNS = "[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_QUALIFIED = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_FOLDER = r"([^-./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|[.][^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|[.][.][^/\x00-\x1f\x7f]+)"
_REPOSITORY = "[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)?"
_REVISION = "[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*"

SOURCE = Text(f"hf://{_REPOSITORY}(@{_REVISION})?|pvc://{_DNS}(/{_FOLDER})*", 1024, (
    "set hf://organisation/name or hf://organisation/name@revision for a model of the Hugging Face hub, or "
    "pvc://claim/folder for a folder of a PersistentVolumeClaim of this namespace (no .. and no empty part in it)"))
SERVED_NAME = Text("[A-Za-z0-9][A-Za-z0-9._:/@+-]*", 253, (
    "set a name that begins with a letter or digit and has only letters, digits and . _ : / @ + -"))
OBJECT_NAME = Text(_DNS, 253, "set the name of an object: lower-case letters, digits, '-' and '.'")
SECRET_KEY = Text("[-._a-zA-Z0-9]+", 253, "set a key of the Secret: letters, digits, '-', '_' and '.'")
RESOURCE_NAME = Text(f"{_DNS}/{_QUALIFIED}", 317, "set a device plugin's extended resource, such as nvidia.com/gpu")
LABEL_KEY = Text(f"({_DNS}/)?{_QUALIFIED}", 317, "set a node's label as key, such as nvidia.com/gpu.product")
LABEL_VALUE = Text(f"({_QUALIFIED})?", 63, (
    "set a label's value: at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"))
CPU = Amount("1m", "4k", "set a number of CPUs from 1m to 4000, such as 8 or 500m")
MEMORY = Amount("1Mi", "1Pi", "set an amount of memory from 1Mi to 1Pi, such as 16Gi (512m would be half a byte)")
TENSOR = AutoOr(1024, "set Auto, or a whole number from 1 to 1024 without quotes")


class SecretKeyRef(Group):
    """One key of a Secret in the resource's namespace."""

    name: Annotated[str, OBJECT_NAME]
    """Name of the Secret, in the namespace of this resource."""
    key: Annotated[str, SECRET_KEY]
    """Key in the Secret's data."""


class Model(Group):
    """Which model is served, from where and under which names."""

    source: Rolling[Annotated[str, SOURCE]]
    """Where the weights are. hf://organisation/name[@revision]: a repository of the Hugging Face hub, which every pod
    downloads; pvc://claim/folder: a folder of a PersistentVolumeClaim, mounted read-only."""
    served_names: Rolling[Annotated[
        list[Annotated[str, SERVED_NAME]], Items(16, unique="remove the name that stands there twice"),
    ]] = Field(default=[])
    """Names under which clients may ask for the model; the first stands in answers. Default: the last part of
    source."""
    token_secret_ref: Rolling[SecretKeyRef | None] = None
    """Key of a Secret that holds a Hugging Face token, for gated and private models. Default: no token."""
    trust_remote_code: Rolling[Annotated[bool, Flag]] = False
    """Whether Python code that comes with the model may run in the engine. Default: false."""


class Gpu(Group):
    """GPUs of each pod."""

    count: Rolling[Annotated[int, Whole(0, 64)] | None] = None
    """GPUs of each pod. Default: 1 on device GPU, 0 on device CPU."""
    resource_name: Rolling[Annotated[str, RESOURCE_NAME]] = "nvidia.com/gpu"
    """Extended resource that stands for one GPU, as the node's device plugin names it. Default: nvidia.com/gpu."""


class Parallelism(Group):
    """How the model is spread over the GPUs of a pod."""

    tensor: Rolling[Annotated[Literal["Auto"] | int, TENSOR]] = AUTO
    """GPUs that share each layer: a whole number, or Auto. It must divide the model's attention heads. Default: Auto,
    the fewest that hold the model and its context; where that is not known, gpu.count divided by pipeline."""
    pipeline: Rolling[Annotated[int, Whole(1, 64)]] = 1
    """Groups of GPUs among which the layers are divided, one group after the other. Default: 1."""


class Resources(Group):
    """What each pod gets of a node."""

    gpu: Gpu = Gpu()
    """GPUs of each pod."""
    cpu: Rolling[Annotated[str, CPU] | None] = None
    """CPUs that are reserved for each pod, such as 8 or 500m; it may use more. Default: no reservation."""
    memory: Rolling[Annotated[str, MEMORY] | None] = None
    """Main memory that is reserved for each pod and that it must not exceed, such as 16Gi. Default: no limit."""
    shared_memory: Rolling[Annotated[str, MEMORY] | None] = None
    """Most that /dev/shm may hold, such as 8Gi; GPUs of one pod talk through it. What is in it counts as memory.
    Default: no limit of its own."""
    parallelism: Parallelism = Parallelism()
    """How the model is spread over the GPUs of a pod."""


class Scheduling(Group):
    """On which nodes the pods may run, as in a Pod."""

    node_selector: Rolling[Annotated[dict[str, Annotated[str, LABEL_VALUE]], Keys(32, LABEL_KEY)]] = Field(default={})
    """Labels that a node must have. Default: none."""
    tolerations: Rolling[Annotated[list[dict[str, Any]], Core("Toleration", most=64)]] = Field(default=[])
    """Taints of nodes that the pods tolerate. Default: none."""
    affinity: Rolling[Annotated[dict[str, Any], Core("Affinity")] | None] = None
    """Which nodes and which neighbours the pods prefer or need. Default: none."""
    topology_spread_constraints: Rolling[
        Annotated[list[dict[str, Any]], Core("TopologySpreadConstraint", most=16)]] = Field(default=[])
    """How the pods are spread over zones, nodes or other domains. Without a labelSelector, the pods of this resource
    are what is counted. Default: none."""
    priority_class_name: Rolling[Annotated[str, OBJECT_NAME] | None] = None
    """PriorityClass of the pods. Default: that of the cluster."""
    runtime_class_name: Rolling[Annotated[str, OBJECT_NAME] | None] = None
    """RuntimeClass of the pods, such as nvidia where the GPU runtime is not the default. Default: that of the node."""
    scheduler_name: Rolling[Annotated[str, OBJECT_NAME] | None] = None
    """Scheduler that places the pods. Default: that of the cluster."""


class Start(Group):
    """How a start is judged."""

    stall_seconds: Rolling[Annotated[int, Whole(5, 86400)]] = 600
    """Longest time in seconds that a start may show no progress in the engine's log; then it is ended as
    StartupStalled. A start that goes on may take as long as it takes. Default: 600."""


class Rollout(Group):
    """How pods are replaced."""

    admission: Live[Literal["Enforce", "Warn"]] = "Enforce"
    """What to do with a spec of which it was computed that it cannot work (condition Fits is False). Enforce: no pod is
    made for it, and what serves goes on; Warn: it is started all the same. What was started once is never stopped by
    it. Default: Enforce."""
    drain_seconds: Rolling[Annotated[int, Whole(0, 86400)]] = 60
    """Longest time in seconds that a pod that is to stop may take to finish the requests it has. Default: 60."""


class Access(Group):
    """Who may use the model."""

    api_key_secret_ref: Rolling[SecretKeyRef | None] = None
    """Key of a Secret that holds the API key which clients must send as bearer token. Default: no key, open to all who
    reach the Service."""


_COUNT = "(has(self.resources.gpu.count) ? self.resources.gpu.count : 1)"
_SPREAD = "int(self.resources.parallelism.tensor) * self.resources.parallelism.pipeline"
_AUTO_TENSOR = "type(self.resources.parallelism.tensor) == string"


class Spec(Group):
    """What is asked for."""

    rules = (
        Rule(
            "self.engine.device != 'CPU' || !has(self.resources.gpu.count) || self.resources.gpu.count == 0",
            "spec.engine.device is CPU, which takes no GPUs: remove this field, or set spec.engine.device to GPU",
            ".resources.gpu.count",
        ),
        Rule(
            "self.engine.device != 'CPU' || self.resources.gpu.resourceName == 'nvidia.com/gpu'",
            "spec.engine.device is CPU, which takes no GPUs: remove this field, or set spec.engine.device to GPU",
            ".resources.gpu.resourceName",
        ),
        Rule(
            "self.engine.device != 'GPU' || !has(self.resources.gpu.count) || self.resources.gpu.count > 0",
            "spec.engine.device is GPU, which needs one: set 1 or more, or set spec.engine.device to CPU (to run no "
            "pods, set spec.suspended to true)",
            ".resources.gpu.count",
        ),
        Rule(
            f"self.engine.device != 'GPU' || {_AUTO_TENSOR} || {_SPREAD} <= {_COUNT}",
            "tensor times pipeline must not be more than spec.resources.gpu.count, which is 1 unless set: raise the "
            "count, or lower one of the two",
            ".resources.parallelism.tensor",
        ),
        Rule(
            f"self.engine.device != 'GPU' || !({_AUTO_TENSOR}) || self.resources.parallelism.pipeline < 1 || "
            f"{_COUNT} % self.resources.parallelism.pipeline == 0",
            "pipeline must divide spec.resources.gpu.count, which is 1 unless set, without a rest: change one of them, "
            "or set spec.resources.parallelism.tensor to a number",
            ".resources.parallelism.pipeline",
        ),
        Rule(
            "self.engine.device != 'CPU' || !has(self.engine.kvCacheMemory) || !has(self.resources.memory) || "
            "!isQuantity(string(self.engine.kvCacheMemory)) || !isQuantity(string(self.resources.memory)) || "
            "quantity(string(self.engine.kvCacheMemory)).isLessThan(quantity(string(self.resources.memory)))",
            "the KV cache must be smaller than spec.resources.memory, which also holds the weights: lower this field, "
            "or raise spec.resources.memory",
            ".engine.kvCacheMemory",
        ),
    )

    model: Model
    """Which model is served, from where and under which names."""
    engine: Engine = Engine()
    """How the inference engine, vLLM, runs."""
    resources: Resources = Resources()
    """What each pod gets of a node."""
    scheduling: Scheduling = Scheduling()
    """On which nodes the pods may run."""
    replicas: Live[Annotated[int, Whole(0, 1000)]] = 1
    """How many pods serve the model; `kubectl scale` sets it. 0 is the same as suspended. Default: 1."""
    startup: Start = Start()
    """How a start is judged."""
    rollout: Rollout = Rollout()
    """How pods are replaced."""
    access: Access = Access()
    """Who may use the model."""
    pod_template: Rolling[Annotated[dict[str, Any], PodOverlay]] = Field(default={})
    """Further fields of the pods, for what no other field says: metadata.labels, metadata.annotations and any field of
    spec. Maps merge with what the operator makes, lists merge by name (volumeMounts by mountPath, ports by
    containerPort and protocol), all else replaces it. The container is called engine. What would break it or reach into
    the node is InvalidSpec. Default: none."""
    suspended: Live[Annotated[bool, Flag]] = False
    """Whether to run no pods for now; everything else stays as it is. Default: false."""
    restarted_at: Rolling[Annotated[str, Moment] | None] = None
    """A time such as 2026-11-24T12:00:00Z; to change it restarts the pods, as `kubectl rollout restart` does for a
    Deployment. Default: none."""
