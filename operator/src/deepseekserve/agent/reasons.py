"""Turns nothing into anything: the closed enums of phases and of failure reasons, with each reason's written condition.

At the very bottom of the flow: signatures produce reasons, the agent reports them, the operator writes them into
`status`. Adding a reason is one entry in `Reason` and one in `REASONS`; a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Phase(str, Enum):
    """Where a start stands, in the order in which a start passes them; the last three stand beside that order."""

    PENDING = "Pending"
    DOWNLOADING = "Downloading"
    SCHEDULING = "Scheduling"
    PULLING = "Pulling"
    STARTING = "Starting"
    LOADING_WEIGHTS = "LoadingWeights"
    COMPILING = "Compiling"
    PROFILING_MEMORY = "ProfilingMemory"
    CAPTURING_GRAPHS = "CapturingGraphs"
    SERVING = "Serving"
    IDLE = "Idle"
    SUSPENDED = "Suspended"
    FAILED = "Failed"


# The phases that an engine's own log can show, in their order. The engine downloads (if it does) after it has started.
ENGINE_PHASES: tuple[Phase, ...] = (
    Phase.STARTING, Phase.DOWNLOADING, Phase.LOADING_WEIGHTS, Phase.COMPILING,
    Phase.PROFILING_MEMORY, Phase.CAPTURING_GRAPHS, Phase.SERVING,
)


class Reason(str, Enum):
    """Why a resource does not serve: a closed enum; `REASONS` holds each member's written condition."""

    # From the engine's log or its end.
    CUDA_OUT_OF_MEMORY = "CudaOutOfMemory"
    KV_CACHE_TOO_SMALL = "KVCacheTooSmall"
    NO_KV_CACHE_MEMORY = "NoKVCacheMemory"
    DEVICE_MEMORY_BUSY = "DeviceMemoryBusy"
    QUANTIZATION_MISSING_CONFIG = "QuantizationMissingConfig"
    QUANTIZATION_MISMATCH = "QuantizationMismatch"
    QUANTIZATION_UNSUPPORTED = "QuantizationUnsupported"
    QUANTIZATION_UNKNOWN = "QuantizationUnknown"
    DTYPE_UNSUPPORTED = "DtypeUnsupported"
    CONTEXT_TOO_LONG = "ContextTooLong"
    TENSOR_PARALLEL_INDIVISIBLE = "TensorParallelIndivisible"
    NOT_ENOUGH_DEVICES = "NotEnoughDevices"
    MODEL_NOT_FOUND = "ModelNotFound"
    MODEL_ACCESS_DENIED = "ModelAccessDenied"
    HUB_UNREACHABLE = "HubUnreachable"
    DOWNLOAD_STALLED = "DownloadStalled"
    DISK_FULL = "DiskFull"
    CORRUPT_MODEL = "CorruptModel"
    UNSUPPORTED_ARCHITECTURE = "UnsupportedArchitecture"
    REMOTE_CODE_REQUIRED = "RemoteCodeRequired"
    INVALID_ARGUMENT = "InvalidArgument"
    PORT_IN_USE = "PortInUse"
    NO_CUDA_DEVICE = "NoCudaDevice"
    CUDA_DRIVER = "CudaDriver"
    NCCL_ERROR = "NcclError"
    SHARED_MEMORY_TOO_SMALL = "SharedMemoryTooSmall"
    HOST_OUT_OF_MEMORY = "HostOutOfMemory"
    ENGINE_CORE_DIED = "EngineCoreDied"
    ENGINE_UNRESPONSIVE = "EngineUnresponsive"
    TOKENIZER_ERROR = "TokenizerError"
    MISSING_DEPENDENCY = "MissingDependency"
    COMPILE_FAILED = "CompileFailed"
    PERMISSION_DENIED = "PermissionDenied"
    STARTUP_STALLED = "StartupStalled"
    TERMINATED = "Terminated"
    UNKNOWN = "Unknown"
    # From Kubernetes.
    IMAGE_PULL_FAILED = "ImagePullFailed"
    UNSCHEDULABLE = "Unschedulable"
    EVICTED = "Evicted"
    QUOTA_EXCEEDED = "QuotaExceeded"
    VOLUME_MOUNT_FAILED = "VolumeMountFailed"
    CONTAINER_CONFIG_ERROR = "ContainerConfigError"
    ADMISSION_REFUSED = "AdmissionRefused"
    NODE_LOST = "NodeLost"
    # From the operator.
    INVALID_SPEC = "InvalidSpec"
    DOES_NOT_FIT = "DoesNotFit"
    NAME_CONFLICT = "NameConflict"
    SUSPENDED = "Suspended"


@dataclass(frozen=True)
class ReasonInfo:
    """A reason's written condition, and whether only an edit of the spec can help."""

    condition: str
    permanent: bool = False


def _permanent(condition: str) -> ReasonInfo:
    return ReasonInfo(condition, permanent=True)


REASONS: Mapping[Reason, ReasonInfo] = {
    Reason.CUDA_OUT_OF_MEMORY: _permanent(
        "The engine asked a GPU for more memory than it has left for us: weights, activations or graphs do not fit."),
    Reason.KV_CACHE_TOO_SMALL: _permanent(
        "The KV cache that fits is smaller than one request of the maximum context length."),
    Reason.NO_KV_CACHE_MEMORY: _permanent(
        "After weights and activations no memory is left for the KV cache, or the share allowed to it is impossible."),
    Reason.DEVICE_MEMORY_BUSY: ReasonInfo(
        "At start less device memory is free than the engine may use: another process holds it."),
    Reason.QUANTIZATION_MISSING_CONFIG: _permanent(
        "A quantization was asked for that needs a description in the checkpoint, and the checkpoint has none."),
    Reason.QUANTIZATION_MISMATCH: _permanent(
        "The quantization asked for is not the one that the checkpoint says it was made with."),
    Reason.QUANTIZATION_UNSUPPORTED: _permanent(
        "The device, the dtype, the shapes or the engine's build cannot run this quantization."),
    Reason.QUANTIZATION_UNKNOWN: _permanent("The engine does not know the quantization's name."),
    Reason.DTYPE_UNSUPPORTED: _permanent("The device or the quantization cannot compute in the dtype."),
    Reason.CONTEXT_TOO_LONG: _permanent(
        "The maximum context length asked for is longer than what the model's configuration allows."),
    Reason.TENSOR_PARALLEL_INDIVISIBLE: _permanent(
        "Heads, layers or a weight's size cannot be divided by the number of devices asked for."),
    Reason.NOT_ENOUGH_DEVICES: _permanent("More devices were asked for than the pod or the cluster of engines has."),
    Reason.MODEL_NOT_FOUND: ReasonInfo("The model's folder, repository or revision, or a file of it, does not exist."),
    Reason.MODEL_ACCESS_DENIED: ReasonInfo("The hub refuses the model: gated, private, or a missing or wrong token."),
    Reason.HUB_UNREACHABLE: ReasonInfo("The model is not on disk and the hub cannot be reached from the pod."),
    Reason.DOWNLOAD_STALLED: ReasonInfo("A download has made no progress for the stall budget."),
    Reason.DISK_FULL: ReasonInfo("A write failed because a disk, a quota or an emptyDir is full."),
    Reason.CORRUPT_MODEL: ReasonInfo(
        "A file of the model exists and is damaged: truncated, empty, a Git LFS pointer, not the format it claims, or "
        "with tensors that do not match its configuration."),
    Reason.UNSUPPORTED_ARCHITECTURE: _permanent("This engine's version does not know the model's architecture."),
    Reason.REMOTE_CODE_REQUIRED: _permanent("The model brings Python code of its own and the spec does not trust it."),
    Reason.INVALID_ARGUMENT: _permanent("The engine refuses a flag, its value, or a combination of flags."),
    Reason.PORT_IN_USE: ReasonInfo("A port that the engine needs is already taken on that network."),
    Reason.NO_CUDA_DEVICE: ReasonInfo("The engine sees no GPU at all, or cannot tell what device it runs on."),
    Reason.CUDA_DRIVER: ReasonInfo("The node's GPU driver is too old for the image, missing or broken, or has failed."),
    Reason.NCCL_ERROR: ReasonInfo("GPUs or nodes could not talk to each other (NCCL, its socket or its version)."),
    Reason.SHARED_MEMORY_TOO_SMALL: _permanent(
        "The shared memory (/dev/shm) is too small for what the engine's processes share."),
    Reason.HOST_OUT_OF_MEMORY: ReasonInfo(
        "Ordinary memory ran out: the kernel's OOM killer ended a process of the container, or an allocation failed."),
    Reason.ENGINE_CORE_DIED: ReasonInfo("A process of the engine died and the log gives no more precise cause."),
    Reason.ENGINE_UNRESPONSIVE: ReasonInfo("An engine that was serving answered nothing for 30 seconds."),
    Reason.TOKENIZER_ERROR: ReasonInfo("The tokenizer or the chat template is missing or cannot be loaded."),
    Reason.MISSING_DEPENDENCY: _permanent("The image lacks a Python package, a library or a program that is needed."),
    Reason.COMPILE_FAILED: ReasonInfo("torch.compile, Triton, a JIT kernel or a graph capture failed to build."),
    Reason.PERMISSION_DENIED: ReasonInfo("The engine's user may not read the model or write a path that it needs."),
    Reason.STARTUP_STALLED: ReasonInfo("A start has shown no progress for the stall budget, and was ended."),
    Reason.TERMINATED: ReasonInfo("A signal ended the start from outside; nothing was wrong with the engine."),
    Reason.UNKNOWN: ReasonInfo("The engine failed in a way that no signature knows; the decisive lines are attached."),
    Reason.IMAGE_PULL_FAILED: ReasonInfo("The kubelet cannot get the image: wrong name, no permission, no disk."),
    Reason.UNSCHEDULABLE: ReasonInfo("No node has what the pod asks for."),
    Reason.EVICTED: ReasonInfo("The kubelet or the scheduler removed the pod: node pressure, preemption, a drain."),
    Reason.QUOTA_EXCEEDED: ReasonInfo("A ResourceQuota or LimitRange of the namespace refuses the pod."),
    Reason.VOLUME_MOUNT_FAILED: ReasonInfo("A volume of the pod cannot be attached or mounted."),
    Reason.CONTAINER_CONFIG_ERROR: ReasonInfo("A Secret or ConfigMap, or a key in it, that the pod needs is missing."),
    Reason.ADMISSION_REFUSED: ReasonInfo("An admission policy or Pod Security refuses the pod."),
    Reason.NODE_LOST: ReasonInfo("The node no longer answers the control plane."),
    Reason.INVALID_SPEC: _permanent("The spec contradicts itself or names a value that cannot be used."),
    Reason.DOES_NOT_FIT: _permanent("By computation the model cannot fit the devices asked for."),
    Reason.NAME_CONFLICT: ReasonInfo("An object with the name of one of our children belongs to somebody else."),
    Reason.SUSPENDED: ReasonInfo("The spec says that nothing shall run."),
}

PERMANENT: frozenset[Reason] = frozenset(reason for reason, info in REASONS.items() if info.permanent)
