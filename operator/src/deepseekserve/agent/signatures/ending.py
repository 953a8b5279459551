"""How a process ends without saying why: wrappers around another process's error, signals, and echoes of a death."""

import re

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Advice, Adviser, Case, Signature, Weight
from deepseekserve.agent.signatures.words import OWN_HOST, shorten

SIGNATURES = (
    Signature(
        Reason.TERMINATED, r"KeyboardInterrupt",
        "fail-sigterm-twice-during-model-load.log, GPU failures 031 to 036", statement=True),
    Signature(
        Reason.TERMINATED,
        r"slurmstepd: error: .{0,80}CANCELLED|\bCANCELLED AT \d{4}-|died with <Signals\.SIGTERM|\bexit ?code:? ?-15\b"
        r"|SystemExit: 143\b",
        "GPU failures 037, 038; vllm#15295", statement=True, serving=True),
    Signature(
        Reason.STARTUP_STALLED,
        r"Timed out waiting for (?:new )?engines? ?(?:core processes to start|to send ?initial message)"
        r"|Did not receive response from front-end",
        "v1/engine/utils.py, core.py, core_client.py"),
    Signature(
        Reason.ENGINE_CORE_DIED,
        r"(?:MQ|Async)?Engine\w*DeadError|EngineCore encountered\b|EngineCore hit an exception"
        r"|AsyncLLM output_hand|Engine loop (?:is dead|has died|is not running)|Background loop (?:is not running"
        r"|has errored)"
        r"|Engine background task failed|Engine core proc(?:ess)? \S+ died"
        r"|Engine process \(pid \d+\) died|Engine is dead|engine core exited unexpectedly",
        "fail-sigkill-worker.log, GPU failures 075, 076", weight=Weight.WRAPPER, statement=True, serving=True),
    Signature(
        Reason.ENGINE_CORE_DIED,
        r"Engine core initialization failed|Engine process failed to start|(?:Worker\w*"
        r"|EngineCore\w*|Frontend process) (?:initialization )?failed|Worker \S+ failed to initialize"
        r"|Input socket thread died"
        r"|Worker\w* (?:proc )?\S+ died unexpectedly|Worker\S* (?:died|exited)|Executor failed|died with exit code"
        r"|(?:API ?server|DP Coordinator) process .{0,40}(?:failed|died)|The actor died|Ray workers have not started"
        r"|Worker failed with error|WorkerProc hit an exception",
        "GPU failure 085", weight=Weight.WRAPPER, statement=True),
    Signature(
        Reason.ENGINE_CORE_DIED,
        r"Error raised in subprocess|^(?:subprocess\.)?CalledProcessError|Segmentation fault|[Cc]ore dumped|SIGSEGV"
        r"|SIGABRT"
        r"|!!! Segfault|SIGILL|Fatal Python error|^terminate called|^Aborted|^Illegal instruction",
        "python, libc", weight=Weight.WRAPPER, statement=True),
    Signature(
        Reason.UNKNOWN,
        r"^(?:\w+\.)*(?:BrokenPipeError|ConnectionResetError|ConnectionRefusedError|EOFError|CancelledError"
        r"|GeneratorExit"
        r"|SystemExit|StopAsyncIteration|ProcessLookupError|ChildProcessError|RuntimeError: cancelled)"
        r"|cannot schedule new futures|Context was terminated|ContextTerminated|Event loop (?:is closed|stopped)",
        "fail-sigkill-worker.log", weight=Weight.ECHO),
    Signature(
        Reason.UNKNOWN, rf"HTTPConnectionPool\(host='{OWN_HOST}|^openai\.API(?:Connection|Timeout)Error",
        "a client in the same log that finds no server", weight=Weight.ECHO),
)

# Of a process; a GPU's illegal instruction is another matter.
_ILLEGAL_INSTRUCTION = re.compile(
    r"^(?:Fatal Python error: |\S+: line \d+: +\d+ )?Illegal instruction|^SIGILL$|died with <Signals\.SIGILL"
    r"|Failed core proc\(s\): \{[^}]*': -4[,}]|died unexpectedly \(exit code: -4\)")


def _terminated(_: Case) -> Advice:
    return Advice(
        "The engine was stopped by a signal from outside; nothing in its log says that it had failed.",
        "It is started again by itself. If nobody stopped it on purpose, look for Evicted, Preempted, Unhealthy or "
        "Killing among the events: kubectl describe pod POD.")


def _died(case: Case) -> Advice:
    if _ILLEGAL_INSTRUCTION.search(case.text):
        return Advice(
            "The engine's image does not suit the node's processor: a process ended at an instruction that the "
            "processor does not have, or that the kernel does not allow (SIGILL).",
            "Set spec.engine.image to an image that is built for this processor, or choose other nodes with "
            "spec.scheduling.nodeSelector.")
    error = shorten(case.word("error"))
    return Advice(
        f"A process of the engine died{': ' + error if error else ', and no line of its log is a known cause.'}",
        "It is started again by itself. If it dies again, look at the exit code (kubectl describe pod POD): 137 is a "
        "kill, most often because the node's ordinary memory ran out, and spec.resources.memory must be raised; else "
        "at the last lines (kubectl logs POD --previous).")


def _unknown(case: Case) -> Advice:
    error = shorten(case.word("error"))
    message = f"The engine failed in a way that is not known here{': ' + error if error else '.'}"
    if "CUDA error" in case.text:
        return Advice(message, (
            "It is started again by itself. This is a fault in code of the GPU or in the GPU, not a lack of memory: if "
            "it comes back, try another spec.engine.image, and ask the node's administrator to look at the GPU (Xid "
            "lines in the kernel's log)."))
    return Advice(message, (
        "It is started again by itself. If it fails again, read the lines in status.failure.logExcerpt and those "
        "around them (kubectl logs POD --previous); what is a fault of the engine's own needs another "
        "spec.engine.image, or a report to vLLM with that log."))


def _stalled(case: Case) -> Advice:
    return Advice(
        f"The start has shown no progress in phase {case.phase.value} for longer than is allowed, and was ended.",
        "Look at what the engine waits for (a slow disk, the hub, another node); if it is only slow, raise "
        "spec.startup.stallSeconds.")


def _unresponsive(_: Case) -> Advice:
    return Advice("The engine was serving and then answered nothing any more.",
                  "It is started again. If it happens again, look at the lines before: kubectl logs POD --previous.")


ADVICE: dict[Reason, Adviser] = {
    Reason.TERMINATED: _terminated,
    Reason.ENGINE_CORE_DIED: _died,
    Reason.UNKNOWN: _unknown,
    Reason.STARTUP_STALLED: _stalled,
    Reason.ENGINE_UNRESPONSIVE: _unresponsive,
}
