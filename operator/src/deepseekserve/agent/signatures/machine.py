"""The machine and the image: GPU and driver, links between GPUs, compilers, missing packages."""

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Adviser, Advice, Case, Fix, Signature, Weight

SIGNATURES = (
    Signature(Reason.CUDA_DRIVER,
              r"libcuda\.so|NVIDIA driver on your system is too old \(found version (?P<version>\d+)|driver .{0,40}too old"
              r"|CUDA driver version is insufficient|Found no NVIDIA driver|Driver/library version mismatch|RM version mismatch"
              r"|NVML(?:Error)?.{0,60}(?:mismatch|Not Found|not load|Unknown Error|Driver Not Loaded)|Failed to infer device type|forward compatibility was attempted"
              r"|no kernel image is available|unsupported (?:toolchain|PTX)|the provided PTX was compiled with",
              "GPU 044, threads", statement=False),
    Signature(Reason.CUDA_DRIVER, r"NotImplementedError", "GPU 043", frames=r"platforms/interface\.py"),
    Signature(Reason.CUDA_DRIVER, r"not enough values to unpack \(expected 2, got 1\)", "GPU 042", frames=r"resolve_obj_by_qualname|qualname\.rsplit"),
    Signature(Reason.NO_CUDA_DEVICE,
              r"No CUDA GPUs are available|no CUDA-capable device|cudaErrorNoDevice|No (?:HIP|XPU|CUDA) (?:GPUs|devices?) (?:are|is) available"
              r"|Torch not compiled with CUDA enabled|No GPUs? (?:found|detected|available)|CUDA is not available", "torch", statement=True),
    Signature(Reason.CUDA_DRIVER,
              r"uncorrectable ECC|CUDA error: (?:unknown error|initialization error|system not yet initialized|device(?:s)? (?:busy|unavailable)"
              r"|unspecified launch failure|all CUDA-capable devices are busy)|GPU is lost|fallen off the bus|cudaGetDeviceCount\(\)"
              r"|Xid \(", "torch"),
    Signature(Reason.MISSING_DEPENDENCY,
              r"No module named '?(?P<package>[\w.]+)|Failed to find C compiler|[Nn]o C compiler|Python\.h: No such file"
              r"|(?:Please|please) (?:install|upgrade) `?(?P<install>[\w\[\].=>-]+)|`?pip install (?P<pip>[\w\[\].=><'-]+)"
              r"|(?P<lib>lib[\w.+-]+\.so[\w.]*): cannot open shared object file|(?:nvcc|ninja|gcc|g\+\+|cc1plus)\S* ?(?:not found|: not found)"
              r"|Could not find nvcc|(?P<name>[\w.-]+) is (?:not installed|required (?:but|for))|requires the .{0,80}extensions"
              r"|No such file or directory: '(?P<tool>gcc|g\+\+|nvcc|ninja|cc|clang)'|Ninja is required|PackageNotFoundError"
              r"|cannot import name '?(?P<symbol>\w+)|undefined symbol|GLIBC(?:XX)?_[\d.]+' not found|DeepGEMM .{0,40}(?:not|un)available"
              r"|FlashInfer .{0,40}not available", "GPU 052, 054, 117", also=r"(?P<lib>lib[\w.+-]+\.so[\w.]*): cannot open"),
    Signature(Reason.NCCL_ERROR,
              r"NCCL error|ncclUnhandledCudaError|ncclSystemError|ncclInternalError|ncclInvalidUsage|ncclInvalidArgument"
              r"|ncclUnhandled|NCCL (?:communicator|operation|version)|DistBackendError|unhandled (?:system|cuda) error"
              r"|ProcessGroupNCCL.{0,120}(?:[Tt]imeout|[Ee]xception)|Watchdog caught collective operation timeout",
              "vllm#10626, #6574"),
    Signature(Reason.NCCL_ERROR,
              r"DistNetworkError|DistStoreError|ncclRemoteError|client socket has (?:failed|timed out)|Connection closed by (?:remote )?peer"
              r"|wait for clients|gloo.{0,80}(?:[Tt]imeout|[Cc]onnection)|TCPStore", "torch", weight=Weight.LIKELY),
    Signature(Reason.COMPILE_FAILED,
              r"PassManager::run failed|InductorError|BackendCompilerFailed|torch\._dynamo\.exc|torch\._inductor\.exc|TorchRuntimeError"
              r"|triton\.compiler\.errors|CompilationError|Triton compilation failed|ptxas (?:fatal|error)|PTXAS error|Internal Triton PTX codegen"
              r"|NoTritonConfigsError|Ninja build failed|Error building extension|Error compiling|nvcc fatal|[Cc]ompil(?:e|ation) failed"
              r"|cudaErrorStreamCapture|operation not permitted when stream is capturing|CUDA error: operation failed due to a previous error "
              r"during capture|tvm\.error|OutOfResources|out of resource: (?:shared memory|register)|error_log|CalledProcessError: Command '.{0,200}"
              r"(?:gcc|g\+\+|nvcc|ninja|ptxas|c\+\+|clang)", "GPU 047, 048"),
    Signature(Reason.COMPILE_FAILED, r"CalledProcessError: Command '.{0,400}died with <Signals\.|neuronx?-cc.{0,80}(?:fail|error)|Failed compilation",
              "GPU 050", weight=Weight.ROOT),
    Signature(Reason.COMPILE_FAILED, r"^(?:\w+\.)*(?:\w*Error|Exception)", "torch", weight=Weight.LIKELY,
              frames=r"torch/_inductor|torch/_dynamo|triton/compiler|triton/backends|torch\.compile"),
)


def _driver(case: Case) -> Advice:
    if case.facts.cpu:
        return Advice("The engine finds no GPU driver.", "On a machine without GPU set spec.engine.device to CPU.")
    version = case.word("version")
    return Advice(f"The node's GPU driver does not work with this engine{f' (it supports CUDA {version})' if version else ''}: it is "
                  "missing in the container, too old, or broken.",
                  "An administrator must install or update the driver and the container toolkit on the node; until then choose an older "
                  "spec.engine.image, or set spec.engine.device to CPU for a machine without GPU.")


def _no_device(_: Case) -> Advice:
    return Advice("The engine sees no GPU.",
                  "Check that spec.resources.gpu.count is at least 1, that the node's device plugin works, and "
                  "spec.scheduling.runtimeClassName; for a machine without GPU set spec.engine.device to CPU.")


def _nccl(_: Case) -> Advice:
    return Advice("The engine's processes could not talk to each other over NCCL.",
                  "Set NCCL_DEBUG=INFO in spec.engine.env to see why; common cures are NCCL_P2P_DISABLE=1, NCCL_IB_DISABLE=1 and a larger "
                  "spec.resources.sharedMemory.")


def _compile(case: Case) -> Advice:
    if case.facts.eager:
        return Advice("A kernel of the engine could not be compiled.", "Choose another spec.engine.image, or report the attached lines to vLLM.")
    return Advice("The engine could not compile the model's kernels for this device.",
                  "Set spec.engine.enforceEager to true (slower, but without compilation), or choose another spec.engine.image.",
                  (Fix("spec.engine.enforceEager", "true", "nothing is compiled or captured then"),))


def _dependency(case: Case) -> Advice:
    name = next((case.word(k) for k in ("package", "lib", "tool", "name", "install", "pip", "symbol") if case.word(k)), "").strip("`'.,")
    what = name or ("a C compiler" if "compiler" in case.text else "a package or program that the engine needs")
    return Advice(f"The image lacks {what}, or has it in a version that does not fit.",
                  "Set spec.engine.image to an image that contains it (the official vLLM images contain all that the engine itself needs).")


ADVICE: dict[Reason, Adviser] = {
    Reason.CUDA_DRIVER: _driver,
    Reason.NO_CUDA_DEVICE: _no_device,
    Reason.NCCL_ERROR: _nccl,
    Reason.COMPILE_FAILED: _compile,
    Reason.MISSING_DEPENDENCY: _dependency,
}
