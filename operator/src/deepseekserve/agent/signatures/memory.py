"""Memory that does not suffice: of the GPU, of the KV cache, of the host, of /dev/shm, of a disk."""

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Signature, Weight

_SIZE = r"[\d.]+ ?[GMK]i?B"

SIGNATURES = (
    Signature(
        Reason.SHARED_MEMORY_TOO_SMALL,
        r"[Ee]rror while creating shared memory segment|failed to extend \S*(?:/dev/shm|nccl|shm)"
        r"|insufficient shared memory \(shm\)|No space left on device.{0,40}/dev/shm|/dev/shm.{0,60}No space left"
        r"|[Uu]nable to (?:write|allocate|open).{0,60}shared memory.{0,80}(?:No space left|shm)"
        r"|Insufficient space in /dev/shm"
        r"|Bus error.{0,80}(?:shm|shared memory)|ncclShmOpen.{0,80}fail"
        r"|(?:object store|plasma).{0,120}/dev/shm.{0,80}(?:too small|available|exceed)"
        r"|object store size .{0,40}exceeds /dev/shm size",
        "vllm#4383, #1710; gpustack#5014; shm_broadcast.py from 0.31", statement=True,
        also=r"\(?size (?P<bytes>\d+)\)?"),
    Signature(
        Reason.SHARED_MEMORY_TOO_SMALL, r"Fatal Python error: Bus error|^Bus error", "vllm#1771",
        weight=Weight.VAGUE, statement=True),
    Signature(
        Reason.DISK_FULL,
        r"No space left on device|\[Errno (?:28|122)\]|Disk quota exceeded|os error (?:28|122)\b"
        r"|[Nn]ot enough (?:free )?disk space",
        "GPU failures 061, 063", also=r"'(?P<path>/[^']+)'"),
    Signature(
        Reason.CUDA_OUT_OF_MEMORY,
        r"(?:CUDA|HIP|XPU|NPU) out of memory",
        "GPU failures 001 to 010, 105", statement=True,
        also=rf"Tried to allocate (?P<tried>{_SIZE}).{{0,30}}?GPU \S+ has a total capacity of (?P<total>{_SIZE}) "
             rf"of which (?P<free>{_SIZE}) is free|warming up \w+ .{{0,40}}?with (?P<seqs>\d+) dummy requests"),
    Signature(
        Reason.CUDA_OUT_OF_MEMORY,
        r"CUDA error: out of memory|cudaErrorMemoryAllocation|CUDA_ERROR_OUT_OF_MEMORY|hipErrorOutOfMemory"
        r"|Failed to load model - not enough GPU memory|cuMemCreate.{0,60}out of memory|CUBLAS_STATUS_ALLOC_FAILED"
        r"|torch\.(?:cuda\.)?OutOfMemoryError|^OutOfMemoryError:",
        "torch; gpu_model_runner.py", statement=True),
    # The allocation that failed may be a library's: NCCL's, Triton's, vLLM's own allocator's.
    Signature(
        Reason.CUDA_OUT_OF_MEMORY,
        r"CUDA (?:driver error|Error): out of memory|Triton Error \[CUDA\]: out of memory"
        r"|Cuda failure (?:\d+ )?'out of memory'|cudaMalloc failed: out of memory"
        r"|NVML_SUCCESS == .{0,60}INTERNAL ASSERT FAILED.{0,80}CUDACachingAllocator",
        "torch (the last on a MIG slice, vllm#39874), triton, NCCL, cumem_allocator.cpp"),
    Signature(
        Reason.KV_CACHE_TOO_SMALL,
        r"max seq len ?\((?P<requested>\d+)\),? ?\(?(?P<needed>[\d.]+) ?GiB KV cache is needed, which is larger than "
        r"the available KV cache memory \((?P<available>[-\d.]+) ?GiB\)",
        "fail-kv-too-small-for-one-seq.log, GPU failures 012, 090", statement=True,
        also=r"estimated maximum model length is (?P<suggested>\d+)"),
    Signature(
        Reason.KV_CACHE_TOO_SMALL,
        r"max seq len ?\((?P<requested>\d+)\) is larger than the maximum number of tokens that can be stored in "
        r"(?:the )?KV cache \((?P<suggested>\d+)\)",
        "GPU failure 089, vllm#2418", statement=True),
    Signature(
        Reason.KV_CACHE_TOO_SMALL,
        r"To serve at least one request with the models?'s max seq len|KV cache is needed, which is larger"
        r"|larger than the maximum number of tokens that can be stored",
        "kv_cache_utils.py", statement=True),
    Signature(
        Reason.NO_KV_CACHE_MEMORY,
        r"Available memory on node (?P<node>\d+) \((?P<free>[-\d.]+)/(?P<total>[\d.]+) GiB\) on kv cache allocation is "
        r"less than requested memory for kv \((?P<wanted>[-\d.]+)(?:/(?P<budget>[\d.]+))? GiB\)",
        "fail-cpu-kvspace-exceeds-ram.log, fail-gpu-mem-util-too-small.log"),
    Signature(
        Reason.NO_KV_CACHE_MEMORY,
        r"worker already uses (?P<used>[\d.]+) GiB .{0,40}more than the (?P<budget>[\d.]+) GiB of CPU memory reserved",
        "cpu_worker.py from 0.33"),
    Signature(
        Reason.NO_KV_CACHE_MEMORY,
        r"No available memory for the cache blocks|Cannot auto-fit max_model_len"
        r"|on kv cache allocation is less than requested memory for kv",
        "GPU failures 013, 016, 017", statement=True),
    Signature(
        Reason.DEVICE_MEMORY_BUSY,
        r"(?:Free memory on device(?: \S+)?|Available memory on node (?P<node>\d+)) "
        r"\((?P<free>[\d.]+)/(?P<total>[\d.]+) "
        r"GiB\) on startup is less than desired [CG]PU memory utilization \((?P<share>[\d.]+), "
        r"(?P<wanted>[\d.]+) GiB\)",
        "fail-cpu-default-mem-util.log, GPU failure 019", statement=True),
    Signature(
        Reason.DEVICE_MEMORY_BUSY,
        r"(?:Free|Available) memory on (?:device|node).{0,80}on startup is less than"
        r"|Error in memory profiling\. Initial (?:free|used) memory|Externally held weights on device",
        "GPU failure 022; worker.py 0.8 to 0.10; worker/utils.py", statement=True),
    Signature(
        Reason.HOST_OUT_OF_MEMORY, r"DefaultCPUAllocator", "torch", statement=True,
        also=r"allocate (?P<bytes>\d+) bytes"),
    Signature(
        Reason.HOST_OUT_OF_MEMORY,
        r"^(?:\w+\.)*_?(?:Array)?MemoryError(?:$|:| )|[Cc]annot allocate memory|\[Errno 12\]|os error 12\b|bad_alloc"
        r"|Unable to allocate [\d.]+ [GMK]iB for an array|memory allocation of \d+ bytes failed"
        r"|^(?:RuntimeError|BlockingIOError): (?:\[Errno 11\] )?Resource temporarily unavailable"
        r"|unable to mmap \d+ bytes"
        r"|failed to map segment from shared object|can't start new thread|_PyErr_NoMemory",
        "fail-rlimit-as-1g.log", statement=True),
    Signature(
        Reason.HOST_OUT_OF_MEMORY,
        r"[Oo]ut of memory: Killed process|Memory cgroup out of memory|oom-kill|oom_kill|OOMKilled"
        r"|killed by signal: Killed|due to the node running low on memory|ray\.exceptions\.OutOfMemoryError",
        "GPU failure 078, vllm#1765", statement=True),
    Signature(
        Reason.HOST_OUT_OF_MEMORY,
        r"'(?P<process>[\w. -]+)': (?:-9|137)\b|\bexit ?code:?(?: of)? ?(?:-9|137)\b|died with <Signals\.SIGKILL"
        r"|exitcode[=:] ?-9|SIGKILL.{0,60}(?:out of memory|OOM)",
        "fail-oomkill-enginecore-during-load.log", weight=Weight.VAGUE, statement=True),
    Signature(
        Reason.HOST_OUT_OF_MEMORY, r"^(?:\S+: line \d+: +\d+ )?Killed(?:$| +[\w./-]+)", "bash",
        weight=Weight.VAGUE, statement=True),
)
