"""Memory that does not suffice: of the GPU, of the KV cache, of the host, of /dev/shm, of a disk."""

from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.agent.signatures.entry import Adviser, Advice, Case, Fix, Signature, Weight
from deepseekserve.agent.signatures.words import gib, multiple_of_16, quantity

_GIB = r"[\d.]+ ?[GMK]i?B"

SIGNATURES = (
    Signature(Reason.SHARED_MEMORY_TOO_SMALL,
              r"(?:[Ee]rror while creating shared memory segment|failed to extend) \S*(?:/dev/shm|nccl|shm)\S*"
              r".{0,80}?(?:size (?P<bytes>\d+))?", "vllm#4383", statement=True, also=r"\(size (?P<bytes>\d+)\)"),
    Signature(Reason.SHARED_MEMORY_TOO_SMALL,
              r"insufficient shared memory \(shm\)|No space left on device.{0,40}/dev/shm|/dev/shm.{0,60}No space left"
              r"|[Uu]nable to (?:write|allocate).{0,60}shared memory.{0,80}(?:No space left|shm)"
              r"|Bus error.{0,80}(?:shm|shared memory)|ncclShmOpen.{0,80}fail"
              r"|object store size.{0,120}/dev/shm|plasma.{0,60}/dev/shm.{0,60}(?:too small|available)",
              "vllm#1710, gpustack#5014", statement=True),
    Signature(Reason.SHARED_MEMORY_TOO_SMALL, r"Fatal Python error: Bus error|^Bus error", "vllm#1771",
              weight=Weight.VAGUE, statement=True),
    Signature(Reason.DISK_FULL,
              r"No space left on device|\[Errno (?:28|122)\]|Disk quota exceeded|os error (?:28|122)\b"
              r"|[Nn]ot enough (?:free )?disk space", "GPU failures 061, 063", also=r"'(?P<path>/[^']+)'"),
    Signature(Reason.CUDA_OUT_OF_MEMORY,
              r"(?:CUDA|HIP|XPU|NPU) out of memory(?: occurred when warming up \w+ .{0,40}?with (?P<seqs>\d+) dummy requests)?",
              "GPU failures 001 to 010, 105", statement=True,
              also=rf"Tried to allocate (?P<tried>{_GIB}).{{0,30}}?GPU \S+ has a total capacity of "
                   rf"(?P<total>{_GIB}) of which (?P<free>{_GIB}) is free"),
    Signature(Reason.CUDA_OUT_OF_MEMORY,
              r"CUDA error: out of memory|cudaErrorMemoryAllocation|CUDA_ERROR_OUT_OF_MEMORY|hipErrorOutOfMemory"
              r"|[Nn]ot enough GPU memory|cuMemCreate.{0,60}out of memory|CUBLAS_STATUS_ALLOC_FAILED"
              r"|torch\.(?:cuda\.)?OutOfMemoryError|^OutOfMemoryError:", "torch; gpu_model_runner.py", statement=True),
    Signature(Reason.KV_CACHE_TOO_SMALL,
              r"max seq len ?\((?P<requested>\d+)\),? ?\(?(?P<needed>[\d.]+) ?GiB KV cache is needed, which is larger than the "
              r"available KV cache memory \((?P<available>[-\d.]+) ?GiB\)", "fail-kv-too-small-for-one-seq.log, GPU 012, 090",
              statement=True, also=r"estimated maximum model length is (?P<suggested>\d+)"),
    Signature(Reason.KV_CACHE_TOO_SMALL,
              r"max seq len ?\((?P<requested>\d+)\) is larger than the maximum number of tokens that can be stored in "
              r"(?:the )?KV cache \((?P<suggested>\d+)\)", "GPU 089", statement=True),
    Signature(Reason.KV_CACHE_TOO_SMALL, r"To serve at least one request with the models?'s max seq len|KV cache is needed, which is larger",
              "kv_cache_utils.py", statement=True),
    Signature(Reason.NO_KV_CACHE_MEMORY,
              r"Available memory on node (?P<node>\d+) \((?P<free>[-\d.]+)/(?P<total>[\d.]+) GiB\) on kv cache allocation is less "
              r"than requested memory for kv \((?P<wanted>[-\d.]+)(?:/(?P<budget>[\d.]+))? GiB\)",
              "fail-cpu-kvspace-exceeds-ram.log, fail-gpu-mem-util-too-small.log"),
    Signature(Reason.NO_KV_CACHE_MEMORY,
              r"No available memory for the cache blocks|Cannot auto-fit max_model_len"
              r"|on kv cache allocation is less than requested memory for kv|num_gpu_blocks.{0,20}must be (?:greater|>) ?(?:than )?0",
              "GPU 013, 016, 017", statement=True),
    Signature(Reason.DEVICE_MEMORY_BUSY,
              r"Free memory on device(?: \S+)? \((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less than desired GPU "
              r"memory utilization \((?P<share>[\d.]+), (?P<wanted>[\d.]+) GiB\)", "GPU 019, vllm#33297", statement=True),
    Signature(Reason.DEVICE_MEMORY_BUSY,
              r"Available memory on node (?P<node>\d+) \((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less than desired "
              r"CPU memory utilization \((?P<share>[\d.]+), (?P<wanted>[\d.]+) GiB\)", "fail-cpu-default-mem-util.log"),
    Signature(Reason.DEVICE_MEMORY_BUSY,
              r"Free memory on device.{0,80}on startup is less than|Error in memory profiling\. Initial free memory"
              r"|Externally held weights on device|on startup is less than the engine's budget"
              r"|less than desired CPU memory utilization", "GPU 022; worker/utils.py", statement=True),
    Signature(Reason.HOST_OUT_OF_MEMORY,
              r"DefaultCPUAllocator: (?:can't|not enough memory).{0,80}?(?:allocate|tried to allocate) (?P<bytes>\d+) bytes"
              r"|DefaultCPUAllocator", "torch", statement=True, also=r"allocate (?P<bytes>\d+) bytes"),
    Signature(Reason.HOST_OUT_OF_MEMORY,
              r"^(?:\w+\.)*MemoryError(?:$|:| )|[Cc]annot allocate memory|\[Errno 12\]|os error 12\b|std::bad_alloc"
              r"|numpy\S* ?_ArrayMemoryError|Unable to allocate [\d.]+ [GMK]iB for an array"
              r"|memory allocation of \d+ bytes failed|unable to mmap \d+ bytes", "fail-rlimit-as-1g.log", statement=True),
    Signature(Reason.HOST_OUT_OF_MEMORY,
              r"[Oo]ut of memory: Killed process|oom-kill|oom_kill|OOMKilled|killed by signal: Killed"
              r"|due to the node running low on memory|Memory cgroup out of memory|ray\.exceptions\.OutOfMemoryError",
              "GPU 078, vllm#1765", statement=True),
    Signature(Reason.HOST_OUT_OF_MEMORY,
              r"'(?P<process>[\w. -]+)': (?:-9|137)\b|\(?exit ?code:? ?(?:-9|137)\b|died with <Signals\.SIGKILL|exitcode=-9"
              r"|SIGKILL.{0,40}(?:out of memory|OOM)|possibly.{0,30}(?:out of memory|OOM)",
              "fail-oomkill-enginecore-during-load.log", weight=Weight.VAGUE, statement=True),
    Signature(Reason.HOST_OUT_OF_MEMORY, r"^(?:\S+: line \d+: +\d+ )?Killed\b(?! by)", "bash", weight=Weight.VAGUE, statement=True),
)


def _cuda_out_of_memory(case: Case) -> Advice:
    tried, free, total, seqs = (case.word(k) for k in ("tried", "free", "total", "seqs"))
    detail = f": {tried} more were asked for, {free} of {total} were free" if tried and free else ""
    if seqs:
        half = max(int(seqs) // 2, 1)
        fix = Fix("spec.engine.maxNumSeqs", str(half), f"the warm-up with {seqs} requests did not fit")
        return Advice(f"The GPU ran out of memory when the engine warmed up with {seqs} requests at once.",
                      f"Set spec.engine.maxNumSeqs to {half}.", (fix,))
    if case.phase is Phase.CAPTURING_GRAPHS:
        fix = Fix("spec.engine.enforceEager", "true", "CUDA graphs need memory that the KV cache has taken")
        return Advice(f"The GPU ran out of memory while CUDA graphs were captured{detail}.",
                      "Set spec.engine.memoryUtilizationPercent 5 lower, or spec.engine.enforceEager to true.", (fix,))
    count = int(case.facts.asked.get("tensor_parallel_size", "1")) * 2
    fix = Fix("spec.resources.gpu.count", str(count), "each GPU then holds half of the weights")
    return Advice(
        f"The GPU ran out of memory in phase {case.phase.value}{detail}.",
        f"Set spec.resources.gpu.count to {count} (the weights are split over them), take a GPU with more memory or a "
        "quantized checkpoint; if only the last few hundred MiB are missing, lower spec.engine.maxModelLen or maxNumSeqs.",
        (fix,))


def _kv_cache_too_small(case: Case) -> Advice:
    requested, needed, available = (case.number(k) for k in ("requested", "needed", "available"))
    suggested = case.number("suggested")
    if suggested is None and requested and needed and available:
        suggested = requested * available / needed * 0.98
    length = multiple_of_16(suggested or 0)
    wanted = f"One request of {requested:.0f} tokens" if requested else "One request of the longest kind"
    amount = f" needs {needed:g} GiB of KV cache and {available:g} GiB are there" if needed is not None and available is not None \
        else " does not fit into the KV cache"
    fixes = [Fix("spec.engine.maxModelLen", str(length), f"the KV cache holds {suggested:.0f} tokens")] if length and suggested else []
    more = f"raise spec.engine.kvCacheMemory to {quantity((needed + 0.01) * 1.05)}" if case.facts.cpu and needed is not None \
        else "raise spec.engine.memoryUtilizationPercent, or take more GPUs"
    less = f"Set spec.engine.maxModelLen to {length} or less, or " if length else "Lower spec.engine.maxModelLen, or "
    return Advice(f"{wanted}{amount}.", f"{less}{more}.", tuple(fixes))


def _no_kv_cache_memory(case: Case) -> Advice:
    free, wanted = case.number("free"), case.number("wanted")
    if case.word("node"):
        value = quantity(min(max((free or 0) * 0.5, 0.0625), wanted if wanted and wanted > 0 else 1.0))
        fix = Fix("spec.engine.kvCacheMemory", value, f"{free or 0:g} GiB were free")
        return Advice(f"The KV cache asks for {gib(wanted)} and {gib(free)} of host memory are free.",
                      f"Set spec.engine.kvCacheMemory to {value}, or raise spec.resources.memory.", (fix,))
    share = round(float(case.facts.asked.get("gpu_memory_utilization", "0.9")) * 100)
    fix_share = (Fix("spec.engine.memoryUtilizationPercent", "95", f"{share} percent left nothing for the KV cache"),)
    return Advice("The weights and one step of computation take all the memory that the engine may use: nothing is left for the KV cache.",
                  "Raise spec.engine.memoryUtilizationPercent" + (" to 95" if share < 95 else "") + ", lower spec.engine.maxNumSeqs or "
                  "maxNumBatchedTokens, or split the model over more GPUs (spec.resources.gpu.count).",
                  fix_share if share < 95 else ())


def _device_memory_busy(case: Case) -> Advice:
    free, total, wanted = (case.number(k) for k in ("free", "total", "wanted"))
    if case.word("node"):
        return Advice(f"{gib(free)} of the node's {gib(total)} of memory are free, and the engine wants {gib(wanted)}.",
                      "Set spec.engine.kvCacheMemory (for example 1Gi): the engine then asks for that and not for a share of the node.",
                      (Fix("spec.engine.kvCacheMemory", "1Gi", "a fixed size does not depend on what else runs on the node"),))
    detail = f": {gib(free)} of {gib(total)} are free and the engine may use {gib(wanted)}" if free is not None else ""
    return Advice(f"Another process holds memory of the GPU{detail}.",
                  "Nothing is wrong with the model. Wait until the other process is gone, or find it on the node with nvidia-smi; "
                  "only if it has to stay, lower spec.engine.memoryUtilizationPercent.")


def _host_out_of_memory(case: Case) -> Advice:
    size = case.number("bytes")
    tried = f": an allocation of {gib(size / (1 << 30))} failed" if size else ""
    if case.word("process") or "-9" in case.text or case.text.rstrip().endswith("Killed"):
        tried = ": a process of the engine was killed from outside (signal 9), most likely by the kernel's OOM killer"
    fixes: tuple[Fix, ...] = ()
    if case.facts.checkpoint_bytes > 1 << 30:
        value = quantity(case.facts.checkpoint_bytes / (1 << 30) * 1.5 + 6)
        fixes = (Fix("spec.resources.memory", value, "one and a half times the checkpoint, and 6 GiB for the engine"),)
    return Advice(f"Ordinary memory ran out{tried}.",
                  "Raise spec.resources.memory" + (f" to {fixes[0].value}" if fixes else "")
                  + ", or on CPU lower spec.engine.kvCacheMemory.", fixes)


def _shared_memory(case: Case) -> Advice:
    size = case.number("bytes")
    value = quantity(max((size or 0) / (1 << 30) * 16, 8))
    asked = f" (a segment of {gib((size or 0) / (1 << 30))} could not be made)" if size else ""
    return Advice(f"/dev/shm is too small for what the engine's processes share{asked}.",
                  f"Set spec.resources.sharedMemory to {value}.",
                  (Fix("spec.resources.sharedMemory", value, "processes on several GPUs exchange data there"),))


def _disk_full(case: Case) -> Advice:
    where = case.word("path")
    return Advice(f"A disk or a quota is full{': ' + where if where else ''}.",
                  "Make room on that volume, or give it more (the claim's size, the node's ephemeral storage, the project quota).")


ADVICE: dict[Reason, Adviser] = {
    Reason.CUDA_OUT_OF_MEMORY: _cuda_out_of_memory,
    Reason.KV_CACHE_TOO_SMALL: _kv_cache_too_small,
    Reason.NO_KV_CACHE_MEMORY: _no_kv_cache_memory,
    Reason.DEVICE_MEMORY_BUSY: _device_memory_busy,
    Reason.HOST_OUT_OF_MEMORY: _host_out_of_memory,
    Reason.SHARED_MEMORY_TOO_SMALL: _shared_memory,
    Reason.DISK_FULL: _disk_full,
}
