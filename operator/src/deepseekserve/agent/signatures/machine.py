"""The machine and the image: GPU and driver, links between GPUs, compilers, missing packages."""

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Signature, Weight

SIGNATURES = (
    Signature(
        Reason.CUDA_DRIVER,
        r"libcuda\.so|driver on your system is too old \(found version (?P<version>\d+)|driver .{0,40}too old"
        r"|CUDA driver version is insufficient|Found no NVIDIA driver|(?:Driver/library|RM) version mismatch"
        r"|NVML.{0,60}(?:mismatch|Not Found|Not Loaded|Unknown Error)|Failed to infer device type"
        r"|forward compatibility was attempted|no kernel image is available|the provided PTX was compiled with"
        r"|invalid device function|device kernel image is invalid|unsupported display driver|CUDA unknown error",
        "GPU failure 044, vllm#1772, #12847, #29737"),
    Signature(Reason.CUDA_DRIVER, r"NotImplementedError", "GPU failure 043", frames=r"platforms/interface\.py"),
    Signature(
        Reason.CUDA_DRIVER, r"not enough values to unpack \(expected 2, got 1\)", "GPU failure 042",
        frames=r"resolve_obj_by_qualname|qualname\.rsplit"),
    Signature(
        Reason.NO_CUDA_DEVICE,
        r"No CUDA GPUs are available|no CUDA-capable device|cudaErrorNoDevice|No (?:HIP|XPU) (?:GPUs"
        r"|devices) are available"
        r"|Torch not compiled with CUDA enabled|No GPUs? (?:found|detected|available)|CUDA is not available",
        "torch", statement=True),
    Signature(
        Reason.NO_CUDA_DEVICE, r"invalid literal for int\(\) with base 10: '(?P<uuid>(?:MIG|GPU)-[\w-]+)'",
        "platforms/interface.py, vllm#41848"),
    Signature(
        Reason.CUDA_DRIVER,
        r"uncorrectable ECC|GPU is lost|fallen off the bus|cudaGetDeviceCount\(\)|\bXid \("
        r"|CUDA error: (?:unknown error|initialization error|system not yet initialized|unspecified launch failure"
        r"|devices? (?:busy|unavailable)|CUDA-capable device\(s\) is/are busy|all CUDA-capable devices are busy)",
        "torch"),
    Signature(
        Reason.MISSING_DEPENDENCY,
        r"No module named '?(?P<package>[\w.]+)|[Ff]ailed to find C compiler|[Nn]o (?:working )?C(?:\+\+)? compiler"
        r"|InvalidCxxCompiler|Python\.h: No such file"
        r"|cannot open shared object file|(?:nvcc|ninja|gcc|g\+\+|cc1plus):? (?:command )?not found|Could not find nvcc"
        r"|No such file or directory: '(?P<tool>(?:/usr/\S+/)?(?:gcc|g\+\+|nvcc|ninja|cc|clang|ptxas))'"
        r"|Ninja is required"
        r"|(?P<who>[\w.-]+) requires the .{0,80}extensions|(?P<name>[\w.-]+) is not installed|PackageNotFoundError"
        r"|pip install `?(?P<pip>[\w\[\].=><'-]+)|[Pp]lease (?:install|upgrade) (?!the )`?(?P<install>[\w\[\].=>-]+)"
        r"|cannot import name '?(?P<symbol>\w+)|undefined symbol|GLIBC(?:XX)?_[\d.]+' not found"
        r"|(?:DeepGEMM|FlashInfer) .{0,40}(?:not|un)available|(?:DeepGEMM|FlashInfer) (?:backend )?is not available",
        "GPU failures 052, 054, 117", also=r"(?P<lib>lib[\w.+-]+\.so[\w.]*): cannot open"),
    Signature(
        Reason.MISSING_DEPENDENCY,
        r"^ImportError: (?P<package>[\w.-]+)\S* is required for a normal functioning"
        r"|(?P<who>Ray) version \S+ is required"
        r"|(?:[Pp]lease use (?=\w+ version >=)|requires installation of )(?P<name>\w+)"
        r"|(?P<install>DeepEP|MoRI|pplx)[ _]kernels not found|(?P<tool>flashinfer-\w+) version \(\S+\) does not match"
        r"|(?P<pip>[Ff]lash[Ii]nfer) (?:\w+ )?module (?:was not|not|cannot be) found"
        r"|(?P<lib>MoonEP|DeepEP v2).{0,20} not available|requires (?P<symbol>intel_extension_for_pytorch)"
        r"|CUDA_HOME (?:environment variable )?is not set|Cannot find CUDA_HOME"
        r"|may indicate binary incompatibility|operator torchvision::nms does not exist|SM \S+ requires CUDA >="
        r"|has no attribute all_special_tokens_extended",
        "transformers; flashinfer, vllm#50705; verl#4337; ray_executor.py, weight_utils.py, all2all.py, torch, numpy"),
    Signature(
        Reason.MISSING_DEPENDENCY,
        r"^(?:\w+\.)*(?:ImportError: |AttributeError: module '(?P<package>(?!vllm)[\w.]+)' has no attribute)",
        "python: a package in a version that does not fit", weight=Weight.LIKELY),
    Signature(
        Reason.NCCL_ERROR,
        r"NCCL error|ncclUnhandledCudaError|ncclSystemError|ncclInternalError|ncclInvalidUsage|ncclInvalidArgument"
        r"|NCCL (?:communicator|operation|version)|DistBackendError|unhandled (?:system|cuda) error"
        r"|ProcessGroupNCCL.{0,120}(?:[Tt]imeout|[Ee]xception)|Watchdog caught collective operation timeout",
        "vllm#10626, #6574", weight=Weight.LIKELY),
    Signature(
        Reason.NCCL_ERROR,
        r"DistNetworkError|DistStoreError|ncclRemoteError|client socket has (?:failed|timed out)|wait for clients"
        r"|Connection closed by (?:remote )?peer|[Gg]loo.{0,80}(?:[Tt]imeout|[Cc]onnect(?:ion|FullMesh))|TCPStore",
        "torch", weight=Weight.LIKELY),
    Signature(
        Reason.COMPILE_FAILED,
        r"PassManager::run failed|InductorError|torch\._dynamo\.exc\.(?!BackendCompiler)|torch\._inductor\.exc"
        r"|Triton compilation failed|ptxas (?:fatal|error)|PTXASError"
        r"|Internal Triton PTX codegen|NoTritonConfigsError|CppCompileError|nvcc fatal|Error in JIT compilation"
        r"|[Ee]rror compiling|[Cc]ompil(?:e|ation) failed|cudaErrorStreamCapture|when stream is capturing"
        r"|due to a previous error during capture|tvm\.error|OutOfResources|out of resource: (?:shared memory"
        r"|register)",
        "GPU failures 047, 048"),
    # The lines after it may say more: what is missing, or what the device cannot do.
    Signature(
        Reason.COMPILE_FAILED,
        r"BackendCompilerFailed|triton\.compiler\.errors|CompilationError|Ninja build failed|Error building extension",
        "torch, triton, flashinfer", weight=Weight.LIKELY),
    Signature(
        Reason.COMPILE_FAILED,
        r"CalledProcessError: Command '.{0,400}(?:died with <Signals\.|(?:gcc|g\+\+|nvcc|ninja|ptxas|c\+\+|clang)\b)"
        r"|neuronx?-cc.{0,80}(?:fail|error)",
        "GPU failure 050"),
    Signature(
        Reason.COMPILE_FAILED, r"^(?:\w+\.)*\w*(?:Error|Exception)", "torch", weight=Weight.VAGUE,
        frames=r"torch/_inductor|torch/_dynamo|triton/compiler|triton/backends"),
)
