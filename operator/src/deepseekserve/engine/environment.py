"""Turns a resource into the environment of its engine, and refuses variables that contradict a field.

Pure; used by render.pod. Everything an engine writes goes to /cache or /tmp: the root file system is read-only.
"""

from collections.abc import Mapping
from typing import Any

from deepseekserve import names
from deepseekserve.api import DeepSeekServe, InvalidSpec, SecretKeyRef

# Variable -> the field that says the same; VLLM_CPU_KVCACHE_SPACE would silently win over the field's flag.
OWNED_ENV: Mapping[str, str] = {
    "VLLM_API_KEY": "spec.access.apiKeySecretRef",
    "VLLM_CPU_KVCACHE_SPACE": "spec.engine.kvCacheMemory",
}
_TOKEN = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_USER = "deepseekserve"          # a uid without passwd entry has no name, and torch's inductor asks for one

_FIXED: Mapping[str, str] = {
    "HOME": names.CACHE_MOUNT,
    "USER": _USER,
    "LOGNAME": _USER,
    "TMPDIR": names.TMP_MOUNT,
    "XDG_CACHE_HOME": names.CACHE_MOUNT,
    "HF_HOME": f"{names.CACHE_MOUNT}/huggingface",
    "VLLM_CACHE_ROOT": f"{names.CACHE_MOUNT}/vllm",
    "VLLM_RPC_BASE_PATH": names.TMP_MOUNT,
    "TORCHINDUCTOR_CACHE_DIR": f"{names.CACHE_MOUNT}/torchinductor",
    "TRITON_CACHE_DIR": f"{names.CACHE_MOUNT}/triton",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}


def environment(serve: DeepSeekServe) -> list[dict[str, Any]]:
    """List the engine's variables: the operator's first, then the user's, which win over ours of the same name.

    A user's `$(VAR)` is left to the kubelet, as in any pod; ours stand first, so it can refer to them.
    """
    users = [dict(variable) for variable in serve.spec.engine.env]
    taken = {variable["name"] for variable in users}
    return [ours for ours in _operators(serve) if ours["name"] not in taken] + users


def is_offline(serve: DeepSeekServe) -> bool:
    """Whether the user forbids to ask the hub, as huggingface_hub reads it."""
    said = {variable["name"]: str(variable.get("value") or "") for variable in serve.spec.engine.env}
    return said.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def check_environment(serve: DeepSeekServe) -> None:
    """Raise InvalidSpec for the first of the user's variables that contradicts a field or opens a way past the key."""
    for index, variable in enumerate(serve.spec.engine.env):
        problem = environment_problem(serve, variable["name"])
        if problem:
            raise InvalidSpec(f"spec.engine.env[{index}] {variable['name']}: {problem}")


def _operators(serve: DeepSeekServe) -> list[dict[str, Any]]:
    variables: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in _FIXED.items()]
    if serve.spec.model.source.startswith("pvc://"):
        variables.append({"name": "HF_HUB_OFFLINE", "value": "1"})
    if serve.spec.model.token_secret_ref:
        variables.append(_secret("HF_TOKEN", serve.spec.model.token_secret_ref))
    if serve.spec.access.api_key_secret_ref:
        variables.append(_secret("VLLM_API_KEY", serve.spec.access.api_key_secret_ref))
    return variables


def _secret(name: str, reference: SecretKeyRef) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": reference.name, "key": reference.key}}}


def environment_problem(serve: DeepSeekServe, name: str) -> str | None:
    """Say why the user may not set the variable `name` of the engine's container; None when there is no reason."""
    if name in OWNED_ENV:
        return f"{OWNED_ENV[name]} says that; set the field and remove the variable"
    if name in _TOKEN and serve.spec.model.token_secret_ref:
        return "spec.model.tokenSecretRef says that; remove one of the two"
    if name == "VLLM_USE_RUST_FRONTEND" and serve.spec.access.api_key_secret_ref:
        return "that server does not ask for spec.access.apiKeySecretRef on every path; remove one of the two"
    return None
