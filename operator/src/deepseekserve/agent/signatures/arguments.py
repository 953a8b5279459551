"""What the engine was told to do and cannot: flags, their values and combinations, more devices than there are, a port, a path."""

import re

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Adviser, Advice, Case, Fix, Signature, Weight
from deepseekserve.agent.signatures.flags import nearest

SIGNATURES = (
    Signature(Reason.TENSOR_PARALLEL_INDIVISIBLE,
              r"[Tt]otal number of attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size \((?P<tp>\d+)\)",
              "fail-tp64.log, GPU 109", statement=True),
    Signature(Reason.TENSOR_PARALLEL_INDIVISIBLE,
              r"(?P<heads>\d+) is not divisible by (?P<tp>\d+)|must be divisible by (?:the )?tensor[ _-]parallel|not divisible by (?:tp|tensor)"
              r"|[Nn]umber of experts.{0,60}divisible|heads.{0,60}divisible", "vllm#414, #52435"),
    Signature(Reason.NOT_ENOUGH_DEVICES,
              r"World size \((?P<world>\d+)\) is larger than the number of available GPUs \((?P<gpus>\d+)\)"
              r"|Not enough allowed NUMA nodes to bind threads of (?P<cpu_world>\d+) local CPUWorkers.{0,40}?\[(?P<nodes>[\d, ]*)\]",
              "GPU 092, fail-tp2-one-numa.log", statement=True),
    Signature(Reason.NOT_ENOUGH_DEVICES,
              r"number of required (?:GPU|\w+)s exceeds the total number of available|(?:size|rank) .{0,30}(?:exceeds|out of bounds for) .{0,40}"
              r"(?:devices|physical_gpu_ids|XPU)|Cannot provide a placement group|invalid device ordinal|don't have enough GPUs"
              r"|[Tt]ensor parallel size .{0,40}(?:exceed|larger than)|Current node has no \w+ available|nnodes.{0,40}world size",
              "ray_utils.py, gpu_worker.py"),
    Signature(Reason.PORT_IN_USE,
              r"\[Errno (?:98|48)\]|[Aa]ddress already in use|EADDRINUSE|port (?P<port>\d+) is already (?:in use|allocated)",
              "fail-port-in-use.log", statement=False,
              also=r"(?:\('[^']*', |:|[Pp]ort )(?P<port>\d{2,5})\b"),
    Signature(Reason.PORT_IN_USE, r"\[Errno (?:98|48)\].{0,60}(?:bind|address already in use)", "uvicorn", statement=True,
              also=r"\('[^']*', (?P<port>\d{2,5})\)"),
    Signature(Reason.PERMISSION_DENIED,
              r"PermissionError|\[Errno 13\]|\[Errno 30\]|[Pp]ermission denied|os error 13\b|Read-only file system|os error 30\b"
              r"|[Nn]ot (?:readable|writable)|problem when trying to write in your cache folder", "python, safetensors",
              also=r"'(?P<path>/[^']+)'|(?:at|in|file|open) (?P<path2>/[\w./-]+)"),
    Signature(Reason.INVALID_ARGUMENT, r"error: unrecognized arguments: (?P<flags>.+)", "GPU 024, 025", statement=True),
    Signature(Reason.INVALID_ARGUMENT,
              r"error: argument (?P<flag>[-\w./, ]+?): invalid choice: (?P<value>'[^']*'|\S+) \(choose from (?P<choices>[^)]*)",
              "fail-dtype-unknown.log", statement=True),
    Signature(Reason.INVALID_ARGUMENT,
              r"error: argument (?P<flag>[-\w./, ]+?): (?P<complaint>.+)|error: (?P<ambiguous>ambiguous option: .+)"
              r"|error: (?P<required>the following arguments are required: .+)", "GPU 026; argparse", statement=True),
    Signature(Reason.INVALID_ARGUMENT, r"[Ii]nvalid (?P<kind>tool call|reasoning) parser: (?P<value>[\w.-]+)", "fail-tool-parser-unknown.log"),
    Signature(Reason.INVALID_ARGUMENT, r"Error: (?P<complaint>--[\w-]+ (?:requires|must|is not|does not|cannot|currently).+)",
              "fail-auto-tool-without-parser.log"),
    Signature(Reason.INVALID_ARGUMENT,
              r"(?P<complaint>Sleep mode is not supported.{0,40}|Selected backend .{0,80}is not valid for this configuration.{0,200}"
              r"|Attention backend .{0,120}|No model specified.{0,60}|`?model`? should be provided as the first positional.{0,60})",
              "fail-sleep-mode-cpu.log, GPU 028"),
    Signature(Reason.INVALID_ARGUMENT, r"FileNotFoundError|ssl\.SSLError|SSLError|IsADirectoryError", "fail-ssl-missing.log",
              frames=r"load_cert_chain|ssl_certfile|ssl_context|create_ssl"),
    Signature(Reason.INVALID_ARGUMENT,
              r"\d+ validation errors? for (?P<config>\w+) (?P<field>[a-z_][\w.]*) (?P<complaint>(?:Input|Value|String|Extra|Unexpected).+?)"
              r"(?: \[type=|$)", "fail-gpu-mem-util-invalid.log"),
    Signature(Reason.INVALID_ARGUMENT,
              r"\d+ validation errors? for (?P<config>\w+).{0,40}?Value error, (?P<complaint>.+?)(?: \[type=|$)",
              "fail-max-num-batched-lt.log", weight=Weight.VAGUE),
    Signature(Reason.INVALID_ARGUMENT,
              r"ArgumentTypeError: (?P<complaint>.+)|^(?:\w+\.)*(?:ValueError|TypeError|AssertionError|NotImplementedError): (?P<why>.+)",
              "config, arg_utils.py", weight=Weight.VAGUE,
              frames=r"arg_utils\.py|cli_args\.py|argparse_utils|vllm/config/|create_engine_config|__post_init__"),
)

# Flags that the operator sets from a field: the field is what a user has to change.
_FIELDS = {
    "dtype": "dtype", "quantization": "quantization", "max-model-len": "maxModelLen", "gpu-memory-utilization": "memoryUtilizationPercent",
    "kv-cache-memory-bytes": "kvCacheMemory", "kv-cache-dtype": "kvCacheDtype", "max-num-seqs": "maxNumSeqs",
    "max-num-batched-tokens": "maxNumBatchedTokens", "enforce-eager": "enforceEager",
}
_SECRET = re.compile(r"(?i)(api[-_]key|token|bearer|password)([=\s:'\"]+)[^\s'\"]+")


def _field(flag: str) -> str:
    name = flag.split("/")[0].split(",")[0].strip().lstrip("-").replace("_", "-")
    return f"spec.engine.{_FIELDS[name]}" if name in _FIELDS else "spec.engine.extraArgs"


def _plain(text: str, limit: int = 240) -> str:
    """Shorten a complaint of the engine for a message, and keep secrets out of it."""
    text = _SECRET.sub(r"\1\2***", text)
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0] + " ..."


def _invalid_argument(case: Case) -> Advice:
    if flags := case.word("flags"):
        return _unrecognized(flags)
    flag, value, choices = case.word("flag"), case.word("value"), case.word("choices")
    if choices:
        return Advice(f"The engine does not take {value} for {flag}; it takes {_plain(choices)}.", f"Correct {_field(flag)}.")
    if flag:
        return Advice(f"The engine refuses the value of {flag}: {_plain(case.word('complaint'))}", f"Correct {_field(flag)}.")
    if kind := case.word("kind"):
        option = "--tool-call-parser" if kind == "tool call" else "--reasoning-parser"
        return Advice(f"The engine has no {kind} parser called {value}.", f"Correct {option} in spec.engine.extraArgs.")
    if name := case.word("field"):
        return Advice(f"The engine refuses the value of {name}: {_plain(case.word('complaint'))}.",
                      f"Correct {_field(name)} (flag --{name.replace('_', '-')}).")
    if "FileNotFoundError" in case.text:
        return Advice("A file named by a flag (for example a TLS certificate or key) does not exist in the container.",
                      "Correct the paths in spec.engine.extraArgs, or mount the files.")
    complaint = next((case.word(k) for k in ("complaint", "ambiguous", "required", "why") if case.word(k)), "")
    return Advice(f"The engine refuses its arguments: {_plain(complaint or case.text)}", "Correct spec.engine, most likely spec.engine.extraArgs.")


def _unrecognized(text: str) -> Advice:
    unknown = [word.split("=")[0] for word in text.split() if word.startswith("-")][:8]
    listed = ", ".join(unknown) or _plain(text, 60)
    guesses = [(flag, near) for flag in unknown if (near := nearest(flag)) and near != flag]
    fixes = tuple(Fix("spec.engine.extraArgs", near, f"{flag} is unknown; this is the nearest flag that exists") for flag, near in guesses)
    hint = "; ".join(f"instead of {flag} it knows {near}" for flag, near in guesses)
    return Advice(f"The engine does not know the flag {listed}{' (' + hint + ')' if hint else ''}.",
                  f"Correct spec.engine.extraArgs: {'write ' + guesses[0][1] if guesses else 'remove ' + listed}.", fixes)


def _indivisible(case: Case) -> Advice:
    heads, tp = case.number("heads"), case.number("tp")
    if not heads or not tp:
        return Advice("The model cannot be split evenly over the number of GPUs asked for.",
                      "Set spec.resources.parallelism.tensor to 1, 2, 4 or 8, and spec.resources.gpu.count to match.")
    best = max(n for n in range(1, int(tp) + 1) if int(heads) % n == 0)
    return Advice(f"The model's {heads:.0f} attention heads cannot be split evenly over {tp:.0f} devices.",
                  f"Set spec.resources.parallelism.tensor to {best}.",
                  (Fix("spec.resources.parallelism.tensor", str(best), f"{best} divides {heads:.0f} evenly"),))


def _not_enough_devices(case: Case) -> Advice:
    world = case.word("world") or case.word("cpu_world")
    has = case.word("gpus") or str(len([n for n in case.word("nodes").split(",") if n.strip()]) or "")
    kind = "NUMA nodes" if case.word("cpu_world") else "GPUs"
    if not world or not has:
        return Advice("More devices were asked for than the engine can see.",
                      "Lower spec.resources.parallelism.tensor and pipeline, or raise spec.resources.gpu.count.")
    value = max(int(has), 1)
    return Advice(f"The engine was told to use {world} {kind} and sees {has}.",
                  f"Set spec.resources.parallelism.tensor to {value}" + ("." if kind == "NUMA nodes" else ", or raise spec.resources.gpu.count."),
                  (Fix("spec.resources.parallelism.tensor", str(value), f"the engine sees {has} {kind}"),))


def _port_in_use(case: Case) -> Advice:
    port = case.word("port") or case.facts.asked.get("port", "")
    return Advice(f"The port{' ' + port if port else ''} that the engine wants to listen on is taken by another process.",
                  "Remove hostNetwork and any --port of your own in spec.engine.extraArgs; in the pod's own network the port is free.")


def _permission_denied(case: Case) -> Advice:
    path = case.word("path") or case.word("path2")
    return Advice(f"The engine's user may not read or write {path or 'a file that it needs'}.",
                  "Make the file readable for the pod's user (chmod -R a+rX on the model's folder), or give the claim a matching "
                  "owner; paths that are written must lie on a writable volume.")


ADVICE: dict[Reason, Adviser] = {
    Reason.INVALID_ARGUMENT: _invalid_argument,
    Reason.TENSOR_PARALLEL_INDIVISIBLE: _indivisible,
    Reason.NOT_ENOUGH_DEVICES: _not_enough_devices,
    Reason.PORT_IN_USE: _port_in_use,
    Reason.PERMISSION_DENIED: _permission_denied,
}
