"""What to do about refused arguments, devices, ports and paths: which field to edit, and how."""

import re
from collections.abc import Iterator

from deepseekserve.agent.fixes import Fix
from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Advice, Adviser, Case
from deepseekserve.agent.signatures.flags import nearest
from deepseekserve.agent.signatures.words import shorten

# Flags that the operator sets from a field: the field is what a user has to change.
_FIELDS = {
    "dtype": "engine.dtype", "quantization": "engine.quantization", "max-model-len": "engine.maxModelLen",
    "gpu-memory-utilization": "engine.memoryUtilizationPercent", "kv-cache-memory-bytes": "engine.kvCacheMemory",
    "kv-cache-dtype": "engine.kvCacheDtype", "max-num-seqs": "engine.maxNumSeqs",
    "max-num-batched-tokens": "engine.maxNumBatchedTokens", "enforce-eager": "engine.enforceEager",
    "enable-prefix-caching": "engine.prefixCaching", "tensor-parallel-size": "resources.parallelism.tensor",
    "pipeline-parallel-size": "resources.parallelism.pipeline", "served-model-name": "model.servedNames",
    "trust-remote-code": "model.trustRemoteCode", "api-key": "access.apiKeySecretRef", "model": "model.source",
    "revision": "model.source", "hf-token": "model.tokenSecretRef",
    "device-memory-utilization": "engine.memoryUtilizationPercent",
}
# Their flags take the same number, which nothing else must match.
_COUNTS = ("maxModelLen", "maxNumSeqs", "maxNumBatchedTokens")
_EXTRA = "spec.engine.extraArgs"
_OF_THE_IMAGE = ("/tmp", "/cache", "/root", "/home", "/opt", "/usr", "/var", "/.")  # noqa: S108 - where no model is
_FEW_TOKENS = re.compile(
    r"max_num_batched_tokens \(\d+\) (?:is smaller than|must be (?:greater|larger) than or equal to) "
    r"max_(?:model_len|num_seqs) \((?P<least>\d+)\)")


def _field(flag: str) -> str:
    name = re.split(r"[/,]", flag, maxsplit=1)[0].strip().lstrip("-").replace("_", "-")
    name = name.removeprefix("no-")
    return f"spec.{_FIELDS[name]}" if name in _FIELDS else _EXTRA


def _invalid_argument(case: Case) -> Advice:
    if flags := case.word("flags"):
        return _unrecognized(flags)
    if case.word("flag") or case.word("field"):
        return _refused_value(case)
    if kind := case.word("kind"):
        option = "--tool-call-parser" if kind == "tool call" else "--reasoning-parser"
        return Advice(f"The engine has no {kind} parser called {case.word('value')}.", f"Correct {option} in {_EXTRA}.")
    return _complaint(case)


def _complaint(case: Case) -> Advice:
    if case.word("cut"):
        return Advice("A flag that takes a value has none.", f"Write it as --flag=value in {_EXTRA}.")
    if attention := shorten(case.word("attention")):
        return Advice(
            f"No attention kernel of the engine runs this model on this device as it is asked to: {attention}",
            f"Set spec.engine.dtype and kvCacheDtype to Auto, and remove --attention-backend and --block-size from "
            f"{_EXTRA}; if none of them is set, choose a newer spec.engine.image or another GPU.")
    if address := shorten(case.word("address")):
        return Advice(
            f"The engine cannot use a host name or address that it was told: {address}",
            f"Remove --host from {_EXTRA}, and look for other host names and addresses there; if they are right, ask "
            "the administrator about the cluster's DNS.")
    complaint = shorten(case.first("complaint", "ambiguous", "required", "why")).strip()
    if not complaint:
        return Advice("A file that a flag names (a TLS certificate or key, for example) is not there in the container.",
                      f"Correct the paths in {_EXTRA}, or mount the files.")
    message = f"The engine refuses its arguments: {complaint}"
    if few := _FEW_TOKENS.search(complaint):
        return Advice(message, f"Set spec.engine.maxNumBatchedTokens to {few['least']} or more.",
                      (Fix("spec.engine.maxNumBatchedTokens", few["least"], "one batch then holds what it must"),))
    where = "spec.engine.env" if "VLLM_" in complaint else _EXTRA
    return Advice(message, f"Correct spec.engine, most likely {where}.")


def _refused_value(case: Case) -> Advice:
    flag, field = case.word("flag"), case.word("field")
    name = flag or "--" + field.replace("_", "-")
    if choices := case.word("choices"):
        return Advice(f"The engine does not take {case.word('value')} for {name}; it takes {shorten(choices)}.",
                      f"Correct {_field(name)}.")
    complaint = shorten(case.word("complaint"))
    if complaint.startswith("expected one argument"):
        return Advice(f"The argument {name} has no value.", f"Write it as {name}=VALUE in {_EXTRA}, or remove it.")
    return Advice(f"The engine refuses the value of {name}: {complaint}", f"Correct {_field(name)}.")


def _unrecognized(text: str) -> Advice:
    unknown = _flags_with_values(text)
    guesses = {flag: near for flag in unknown if (near := nearest(flag)) and near != flag}
    hint = "; ".join(f"instead of {flag} it knows {near}" for flag, near in guesses.items())
    listed = ", ".join(unknown) or shorten(text, 60)
    steps = [_step(flag, guesses.get(flag, "")) for flag in unknown] or [f"remove {listed}"]
    return Advice(
        f"The engine does not know {listed}{' (' + hint + ')' if hint else ''}.",
        f"Correct {_EXTRA}: {'; '.join(steps)}.",
        tuple(fix for flag, value in unknown.items() for fix in _fixes(flag, value, guesses.get(flag, ""))))


def _flags_with_values(text: str) -> dict[str, str]:
    """The flags of an argument list, each with its value, "" where it has none."""
    found: dict[str, str] = {}
    flag = ""
    for word in text.split()[:32]:
        if word.startswith("-") and word.strip("-"):
            flag, _, value = word.partition("=")
            found[flag] = value
        elif flag and not found[flag]:
            found[flag] = word
    return found


def _step(flag: str, near: str) -> str:
    if not near:
        return f"remove {flag}"
    field = _field(near)
    return f"write {near} for {flag}" if field == _EXTRA else f"remove {flag}, and set {field}"


def _fixes(flag: str, value: str, near: str) -> Iterator[Fix]:
    """Edits in place of one unknown flag: of the list, and of the field that the nearest flag has, if it is a number's.

    A flag with a field must not stand in the list.
    """
    field = _field(near) if near else ""
    kept = near if field == _EXTRA else ""
    if field not in ("", _EXTRA):
        if not value.isdigit() or not field.endswith(_COUNTS):
            return
        yield Fix(field, value, f"{near} is the nearest flag that exists, and this is its field")
    yield Fix(_EXTRA, kept, f"{flag} is unknown" + (f"; {kept} is the nearest flag that exists" if kept else ""), flag)


def _indivisible(case: Case) -> Advice:
    if case.word("pipeline"):
        return Advice("The model's layers cannot be split evenly over the pipeline's stages.",
                      "Set spec.resources.parallelism.pipeline to 1, or to a number that divides the layers.")
    heads, tensor = case.number("heads") or case.number("size"), case.number("tp")
    if not heads or not tensor:
        return Advice("The model cannot be split evenly over the number of devices asked for.",
                      "Set spec.resources.parallelism.tensor to 1, 2, 4 or 8, and spec.resources.gpu.count to match.")
    best = max(n for n in range(1, min(int(tensor), 4096) + 1) if int(heads) % n == 0)
    what = f"{heads:.0f} attention heads" if case.word("heads") else f"dimension of {heads:.0f}"
    return Advice(f"The model's {what} cannot be split evenly over {tensor:.0f} devices.",
                  f"Set spec.resources.parallelism.tensor to {best}.",
                  (Fix("spec.resources.parallelism.tensor", str(best), f"{heads:.0f} can be divided by {best}"),))


def _not_enough_devices(case: Case) -> Advice:
    nodes = [node for node in case.word("nodes").split(",") if node.strip()]
    world, has = case.first("world", "workers"), case.word("gpus") or str(len(nodes) or "")
    if not world or not has:
        return Advice("More devices were asked for than the engine can see.",
                      "Lower spec.resources.parallelism.tensor and pipeline, or raise spec.resources.gpu.count.")
    kind, sees = "NUMA nodes" if nodes else "GPUs", max(int(has), 1)
    asked = case.facts.asked.get("pipeline_parallel_size", "")
    pipeline = int(asked) if asked.isdigit() and int(asked) > 1 else 1
    tensor, groups = (sees // pipeline, pipeline) if sees >= pipeline else (sees, 1)
    why = f"the engine sees {has} of the {kind}"
    fixes = [Fix("spec.resources.parallelism.tensor", str(tensor), why)]
    if groups != pipeline:
        fixes.append(Fix("spec.resources.parallelism.pipeline", str(groups), why))
    edits = " and ".join(f"{fix.field} to {fix.value}" for fix in fixes)
    more = "" if nodes else f"; or, where a node has as many GPUs, set spec.resources.gpu.count to {world}"
    return Advice(f"The engine was told to use {world} {kind} (tensor times pipeline) and sees {has}.",
                  f"Set {edits}{more}.", tuple(fixes))


def _port_in_use(case: Case) -> Advice:
    port = case.first("port", "number") or case.facts.asked.get("port", "")
    return Advice(f"The port{' ' + port if port else ''} that the engine wants to listen on is taken by another "
                  f"process.",
                  f"Remove any --port of your own from {_EXTRA}; in the pod's own network the port is free.")


def _permission_denied(case: Case) -> Advice:
    path = shorten(case.first("path", "where"), 160)
    if path.startswith(_OF_THE_IMAGE):
        return Advice(
            f"The engine may not write to {path}.",
            "Only /cache and /tmp are writable in its pod: set the variable that names this path (HF_HOME, TMPDIR or "
            "another) in spec.engine.env to a folder there; if it is there, look what spec.podTemplate mounts over it.")
    return Advice(
        f"The engine's user may not read or write {path or 'a file that it needs'}.",
        "Make the model's folder readable for everybody (chmod -R a+rX on it, in a pod that mounts the claim for "
        "writing); the pod then starts by itself. What the engine writes must be below /cache or /tmp.")


ADVICE: dict[Reason, Adviser] = {
    Reason.INVALID_ARGUMENT: _invalid_argument,
    Reason.TENSOR_PARALLEL_INDIVISIBLE: _indivisible,
    Reason.NOT_ENOUGH_DEVICES: _not_enough_devices,
    Reason.PORT_IN_USE: _port_in_use,
    Reason.PERMISSION_DENIED: _permission_denied,
}
