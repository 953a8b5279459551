"""How a process ends without saying why: wrappers around another process's error, signals, and echoes of a death."""

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Adviser, Advice, Case, Signature, Weight

SIGNATURES = (
    Signature(Reason.TERMINATED, r"KeyboardInterrupt", "fail-sigterm-twice-during-model-load.log, GPU 031 to 036", statement=True),
    Signature(Reason.TERMINATED,
              r"slurmstepd: error: .{0,80}CANCELLED|\bCANCELLED AT \d{4}-|DUE TO TIME LIMIT|died with <Signals\.SIGTERM"
              r"|exit ?code:? ?-15\b|SystemExit: 143\b", "GPU 037, 038", statement=True, serving=True),
    Signature(Reason.ENGINE_CORE_DIED,
              r"EngineDeadError|MQEngineDeadError|AsyncEngineDeadError|Engine(?:Core)? encountered (?:a fatal error|an issue)"
              r"|EngineCore hit an exception|AsyncLLM output_handler failed|Engine loop is dead|Engine loop has died"
              r"|Background loop (?:is not running|has errored)|Engine background task failed|engine core died|Engine is dead",
              "fail-sigkill-worker.log, GPU 075, 076", weight=Weight.WRAPPER, statement=True, serving=True),
    Signature(Reason.ENGINE_CORE_DIED,
              r"Engine core initialization failed|Engine process failed to start|WorkerProc initialization failed"
              r"|Engine core proc \S+ died unexpectedly|Worker proc \S+ died unexpectedly|Worker \S+ (?:died|exited)|Executor failed"
              r"|EngineCore failed to start|WorkerProc failed to start|(?:API ?server|DP Coordinator) process .{0,40}(?:failed|died)"
              r"|failed to initialize|The actor died|Ray workers have not started|Worker failed with error|hit an exception",
              "GPU 085", weight=Weight.WRAPPER, statement=True),
    Signature(Reason.ENGINE_CORE_DIED,
              r"Error raised in subprocess|^(?:subprocess\.)?CalledProcessError|Segmentation fault|[Cc]ore dumped|SIGSEGV|SIGABRT|SIGILL"
              r"|Fatal Python error|terminate called|Aborted \(core|Illegal instruction", "python, libc", weight=Weight.WRAPPER,
              statement=True),
    Signature(Reason.UNKNOWN,
              r"^(?:\w+\.)*(?:BrokenPipeError|ConnectionResetError|ConnectionRefusedError|EOFError|CancelledError|GeneratorExit|SystemExit"
              r"|StopAsyncIteration|RuntimeError: cancelled|ProcessLookupError|ChildProcessError)|cannot schedule new futures"
              r"|ContextTerminated|Context was terminated|Event loop (?:is closed|stopped)|Resource tracker|leaked (?:semaphore|shared_memory)",
              "fail-sigkill-worker.log", weight=Weight.ECHO),
)


def _terminated(_: Case) -> Advice:
    return Advice("A signal from outside ended the engine; nothing in its log says that anything was wrong with it.",
                  "If nobody stopped it on purpose, look at the pod's events: kubectl describe pod, kubectl get events.")


def _died(_: Case) -> Advice:
    return Advice("A process of the engine died, and its log does not say why.",
                  "It is started again. If it happens again, look at the lines before the end: kubectl logs POD --previous.")


def _unknown(case: Case) -> Advice:
    line = case.text.strip().splitlines()[0][:240] if case.text.strip() else ""
    return Advice(f"The engine failed in a way that is not known here{': ' + line if line else '.'}",
                  "Look at the attached lines and at the whole log: kubectl logs POD --previous.")


ADVICE: dict[Reason, Adviser] = {
    Reason.TERMINATED: _terminated,
    Reason.ENGINE_CORE_DIED: _died,
    Reason.UNKNOWN: _unknown,
}
