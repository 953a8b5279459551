"""What to do when memory does not suffice: sentences and edits, computed from the numbers in the error."""

from deepseekserve.agent.fixes import Fix
from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.agent.signatures.entry import Advice, Adviser, Case
from deepseekserve.agent.signatures.words import gib, multiple_of_16, quantity, shorten

_UTILIZATION = "spec.engine.memoryUtilizationPercent"


def _cuda_out_of_memory(case: Case) -> Advice:
    tried, free, total, seqs = (case.word(key) for key in ("tried", "free", "total", "seqs"))
    detail = f": {tried} more were asked for, {free} of {total} were free" if tried and free else ""
    if seqs:
        half = str(max(int(seqs) // 2, 1))
        return Advice(
            f"The GPU ran out of memory when the engine warmed up with {seqs} requests at once.",
            f"Set spec.engine.maxNumSeqs to {half}.",
            (Fix("spec.engine.maxNumSeqs", half, f"the warm-up with {seqs} requests did not fit"),))
    if case.phase in (Phase.CAPTURING_GRAPHS, Phase.SERVING):
        lower = str(max(case.facts.utilization_percent - 5, 50))
        when = "while CUDA graphs were captured" if case.phase is Phase.CAPTURING_GRAPHS else "while it served"
        return Advice(
            f"The GPU ran out of memory {when}{detail}.",
            f"Set {_UTILIZATION} to {lower}, so that less is taken for the KV cache, or lower spec.engine.maxNumSeqs.",
            (Fix(_UTILIZATION, lower, "the KV cache has taken what was needed besides it"),))
    count = str(case.facts.devices * 2)
    return Advice(
        f"The GPU ran out of memory{detail}: the model needs more than it has.",
        f"Set spec.resources.gpu.count to {count} (the weights are split over them), take a GPU with more memory or a "
        "quantized checkpoint; if only a little is missing, lower spec.engine.maxModelLen or maxNumSeqs.",
        (Fix("spec.resources.gpu.count", count, "each GPU then holds half as much of the weights"),))


def _kv_cache_too_small(case: Case) -> Advice:
    requested, needed, available = (case.number(key) for key in ("requested", "needed", "available"))
    suggested = case.number("suggested")
    if suggested is None and requested and needed and available:
        suggested = requested * available / needed * 0.98
    length = multiple_of_16(suggested or 0)
    who = f"One request of {requested:.0f} tokens" if requested else "One request of the longest kind"
    amount = " does not fit into the KV cache"
    if needed is not None and available is not None:
        there_is = f"there are {gib(available)}" if available else "there is less than 0.01 GiB"
        amount = f" needs {gib(needed)} of KV cache, and {there_is}"
    more = f"raise {_UTILIZATION}, or take more GPUs"
    if case.facts.cpu and needed is not None:
        more = f"raise spec.engine.kvCacheMemory to {quantity((needed + 0.01) * 1.05)}"
    if not length:
        return Advice(f"{who}{amount}.", f"Lower spec.engine.maxModelLen, or {more}.")
    return Advice(
        f"{who}{amount}.", f"Set spec.engine.maxModelLen to {length} or less, or {more}.",
        (Fix("spec.engine.maxModelLen", str(length), f"the KV cache holds {suggested:.0f} tokens"),))


def _no_kv_cache_memory(case: Case) -> Advice:
    free, wanted = case.number("free"), case.number("wanted")
    if case.word("node") and free is not None:
        value = quantity(min(max(free * 0.5, 0.0625), 1.0))
        asked = f"{gib(wanted)} were asked for" if wanted and wanted > 0 else "the engine's share leaves none"
        return Advice(
            f"There is no room for the KV cache: {asked}, and {gib(free)} of host memory are free.",
            f"Set spec.engine.kvCacheMemory to {value}, and spec.resources.memory to what weights and cache need.",
            (Fix("spec.engine.kvCacheMemory", value, f"{gib(free)} of host memory were free"),))
    used, budget = case.number("used"), case.number("budget")
    if used is not None:
        return Advice(
            f"There is no room for the KV cache: the engine itself uses {gib(used)}, and {gib(budget)} are reserved.",
            "Raise spec.resources.memory to what weights and cache need, or choose a smaller model.")
    share = case.facts.utilization_percent
    others = "lower spec.engine.maxNumSeqs or maxNumBatchedTokens, or raise spec.resources.gpu.count"
    message = ("Weights and one step of computation take all the memory that the engine may use; none is left to keep "
               "requests in (the KV cache).")
    if share >= 95:
        return Advice(message, others[0].upper() + others[1:] + ".")
    return Advice(message, f"Set {_UTILIZATION} to 95; if that is not enough, {others}.",
                  (Fix(_UTILIZATION, "95", f"{share} percent left nothing for the KV cache"),))


def _device_memory_busy(case: Case) -> Advice:
    free, total, wanted = (case.number(key) for key in ("free", "total", "wanted"))
    if case.word("node"):
        return Advice(
            f"{gib(free)} of the node's {gib(total)} of memory are free, and the engine wants {gib(wanted)}.",
            "Set spec.engine.kvCacheMemory (for example 1Gi): the engine then asks for that, not for a share of the "
            "node.",
            (Fix("spec.engine.kvCacheMemory", "1Gi", "a fixed size does not depend on what else runs on the node"),))
    detail = f": {gib(free)} of {gib(total)} are free, and the engine may use {gib(wanted)}" if free is not None else ""
    return Advice(
        f"Another process holds memory of the GPU{detail}.",
        "Nothing is wrong with the model: the engine tries again until the other process is gone. nvidia-smi on the "
        "node "
        f"shows who it is; only if it has to stay, lower {_UTILIZATION}.")


def _host_out_of_memory(case: Case) -> Advice:
    size = case.number("bytes")
    tried = f": an allocation of {gib(size / (1 << 30))} failed" if size else ""
    if case.word("process") or "-9" in case.text or "Killed" in case.text or "SIGKILL" in case.text:
        tried = ": a process of the engine was killed from outside (signal 9), most likely by the kernel's OOM killer"
    fixes: tuple[Fix, ...] = ()
    if case.facts.checkpoint_bytes > 1 << 30:
        value = quantity(case.facts.checkpoint_bytes / (1 << 30) * 1.5 + 6)
        fixes = (Fix("spec.resources.memory", value, "one and a half times the checkpoint, and 6 GiB for the engine"),)
    to = f" to {fixes[0].value}" if fixes else ""
    return Advice(f"Ordinary memory (RAM, not the GPU's) ran out{tried}.",
                  f"Raise spec.resources.memory{to}, or on CPU lower spec.engine.kvCacheMemory.", fixes)


def _shared_memory(case: Case) -> Advice:
    size = case.number("bytes")
    value = quantity(max((size or 0) / (1 << 30) * 16, 8))
    asked = f" (a segment of {gib(size / (1 << 30))} could not be made)" if size else ""
    return Advice(f"Shared memory (/dev/shm) is too small for what the engine's processes share{asked}.",
                  f"Set spec.resources.sharedMemory to {value}.",
                  (Fix("spec.resources.sharedMemory", value, "processes on several GPUs exchange data there"),))


def _disk_full(case: Case) -> Advice:
    where = shorten(case.word("path"), 160)
    return Advice(f"A disk or a quota is full{': ' + where if where else ''}.",
                  "Make room on that volume, or give it more: the claim's size, the node's ephemeral storage, the "
                  "quota.")


ADVICE: dict[Reason, Adviser] = {
    Reason.CUDA_OUT_OF_MEMORY: _cuda_out_of_memory,
    Reason.KV_CACHE_TOO_SMALL: _kv_cache_too_small,
    Reason.NO_KV_CACHE_MEMORY: _no_kv_cache_memory,
    Reason.DEVICE_MEMORY_BUSY: _device_memory_busy,
    Reason.HOST_OUT_OF_MEMORY: _host_out_of_memory,
    Reason.SHARED_MEMORY_TOO_SMALL: _shared_memory,
    Reason.DISK_FULL: _disk_full,
}
