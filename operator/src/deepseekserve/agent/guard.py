"""Turns a request without the API key into 401 on every path of the engine but a few that reveal nothing.

Runs inside the engine (`--middleware deepseekserve.agent.guard.Guard`), outermost of its layers: vLLM's own key guards
only some prefixes, and leaves /invocations, /generative_scoring, /tokenize and others open. Standard library only.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Open to everybody, to read. What is not on this list needs the key: a path that a later engine adds is closed.
OPEN_PATHS = frozenset({
    "/health", "/ping", "/metrics", "/version", "/load", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json",
})
_OPEN_FOLDER = "/static/"              # the files of --enable-offline-docs
_READING = ("GET", "HEAD")
_REFUSAL = json.dumps({"error": {
    "message": "Incorrect or missing API key: send it as 'Authorization: Bearer KEY'.",
    "type": "invalid_request_error", "param": None, "code": "invalid_api_key",
}}).encode()


class Guard:
    """ASGI middleware; the key is in VLLM_API_KEY. Without a key nothing but the open paths is served."""

    def __init__(self, app: Application) -> None:
        self.app = app
        key = os.environ.get("VLLM_API_KEY", "")
        self._key = _digest(key.encode()) if key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan" or _is_open(scope) or self._has_key(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "http" or "websocket.http.response" in (scope.get("extensions") or {}):
            await _refuse(send, prefix="http" if scope["type"] == "http" else "websocket.http")
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": "API key needed"})

    def _has_key(self, scope: Scope) -> bool:
        """Compare in constant time, digests of equal length; the first Authorization header counts, as in vLLM."""
        scheme, _, key = _header(scope, b"authorization").partition(b" ")
        right = self._key is not None and hmac.compare_digest(_digest(key), self._key)
        return scheme.lower() == b"bearer" and right


def _is_open(scope: Scope) -> bool:
    """Tell whether the request only reads an open path, or is a browser's question what it may send (no body)."""
    if scope["type"] != "http":
        return False
    if scope["method"] == "OPTIONS":
        return bool(_header(scope, b"origin") and _header(scope, b"access-control-request-method"))
    path = _route(scope)
    is_listed = path in OPEN_PATHS or path.removesuffix("/") in OPEN_PATHS or path.startswith(_OPEN_FOLDER)
    return scope["method"] in _READING and is_listed


def _route(scope: Scope) -> str:
    """Return the path as the router matches it: decoded, without --root-path when it stands in front."""
    path = str(scope["path"])
    root = str(scope.get("root_path") or "").rstrip("/")
    if root and path.startswith(root + "/"):
        return path[len(root):]
    return path


def _header(scope: Scope, name: bytes) -> bytes:
    headers: Iterable[tuple[bytes, bytes]] = scope.get("headers") or ()
    return next((bytes(value) for key, value in headers if key.lower() == name), b"")


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


async def _refuse(send: Send, prefix: str) -> None:
    headers = [
        (b"content-type", b"application/json"), (b"content-length", str(len(_REFUSAL)).encode()),
        (b"www-authenticate", b"Bearer"),
    ]
    await send({"type": f"{prefix}.response.start", "status": 401, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": _REFUSAL})
