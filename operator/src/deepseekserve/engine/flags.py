"""Turns `spec.engine.extraArgs` into InvalidSpec where they say again what a field of the resource already says.

Pure; stands before rendering. Items are read as vLLM's own parser reads them (`reading`), and abbreviations count. A
flag that is unknown is not refused here: the engine names it (InvalidArgument).
"""

import re
from collections.abc import Mapping, Sequence

from deepseekserve import names
from deepseekserve.api import InvalidSpec
from deepseekserve.engine.reading import is_flag, meant, spelled

# Flag of vLLM 0.32 -> the field that sets it. Both spellings of a switch are listed.
OWNED_FLAGS: Mapping[str, str] = {
    "--model": "spec.model.source",
    "--revision": "spec.model.source (hf://repository@revision)",
    "--served-model-name": "spec.model.servedNames",
    "--hf-token": "spec.model.tokenSecretRef",
    "--trust-remote-code": "spec.model.trustRemoteCode",
    "--no-trust-remote-code": "spec.model.trustRemoteCode",
    "--dtype": "spec.engine.dtype",
    "--quantization": "spec.engine.quantization",
    "-q": "spec.engine.quantization",
    "--max-model-len": "spec.engine.maxModelLen",
    "--gpu-memory-utilization": "spec.engine.memoryUtilizationPercent",
    "--device-memory-utilization": "spec.engine.memoryUtilizationPercent",
    "--kv-cache-memory-bytes": "spec.engine.kvCacheMemory",
    "--kv-cache-dtype": "spec.engine.kvCacheDtype",
    "--max-num-seqs": "spec.engine.maxNumSeqs",
    "--max-num-batched-tokens": "spec.engine.maxNumBatchedTokens",
    "--enable-prefix-caching": "spec.engine.prefixCaching",
    "--no-enable-prefix-caching": "spec.engine.prefixCaching",
    "--enforce-eager": "spec.engine.enforceEager",
    "--no-enforce-eager": "spec.engine.enforceEager",
    "--tensor-parallel-size": "spec.resources.parallelism.tensor",
    "-tp": "spec.resources.parallelism.tensor",
    "--pipeline-parallel-size": "spec.resources.parallelism.pipeline",
    "-pp": "spec.resources.parallelism.pipeline",
    "--api-key": "spec.access.apiKeySecretRef",
}

_PORT = f"the probes and the Service speak plain HTTP with the engine on port {names.ENGINE_PORT}"

# Flag of vLLM 0.32 -> why nobody may set it here.
RESERVED_FLAGS: Mapping[str, str] = {
    "--host": _PORT,
    "--port": _PORT,
    "--uds": _PORT,
    "--ssl-ca-certs": _PORT,
    "--ssl-cert-reqs": _PORT,
    "--ssl-certfile": _PORT,
    "--ssl-ciphers": _PORT,
    "--ssl-keyfile": _PORT,
    "--enable-ssl-refresh": _PORT,
    "--grpc": _PORT,
    "--grpc-port": "a second port would answer without the API key",
    "--headless": "such an engine answers no request",
    "--config": "a file could contradict the fields unseen: write its settings as fields, and the others as extraArgs",
    "--help": "the engine would print its help and end",
    "-h": "the engine would print its help and end",
}


def check_arguments(extra_args: Sequence[str]) -> None:
    """Raise InvalidSpec for the first argument that contradicts a field, breaks the probes or bypasses the key."""
    for index, item in enumerate(extra_args):
        problem = _problem(item, first=index == 0)
        if problem:
            raise InvalidSpec(f"spec.engine.extraArgs[{index}] {item!r}: {problem}")


def _problem(item: str, *, first: bool) -> str | None:
    if item == "--":
        return "the engine would take all that follows for names of models; remove it"
    if not is_flag(item):
        return "a value needs its flag before it; the first item must begin with --" if first else None
    flag = item.split("=", 1)[0]
    if re.search(r"\s", flag):
        return "write the flag and its value as two items, or as --flag=value"
    return _conflict(spelled(flag))


def _conflict(flag: str) -> str | None:
    for known in meant(flag, OWNED_FLAGS):
        return f"{_called(flag, known)} is set by {OWNED_FLAGS[known]}; set that field and remove the argument"
    for known in meant(flag, RESERVED_FLAGS):
        return f"{_called(flag, known)} cannot be set: {RESERVED_FLAGS[known]}; remove the argument"
    return None


def _called(flag: str, known: str) -> str:
    return known if flag == known else f"{known} (which {flag} stands for)"
