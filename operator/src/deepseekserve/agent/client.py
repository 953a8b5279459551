"""Turns a path into what the engine answers on its port, or the reason why it did not.

Used by `prober` and `canary`; every call opens a connection of its own, so that a dead one is never reused.
"""

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_HOSTS = ("127.0.0.1", "::1")
_MAX_BODY_BYTES = 8 * 1024 * 1024


class Unanswered(Exception):
    """The engine refused the connection, closed it, or said nothing in time."""


@dataclass(frozen=True)
class Answer:
    """What the engine said; any status counts as an answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON, None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def complaint(self) -> str:
        """Return the engine's own error message in one line of at most 300 characters."""
        content = self.json()
        error = content.get("error") if isinstance(content, dict) else None
        message = error.get("message") if isinstance(error, dict) else error
        text = message if isinstance(message, str) else self.body[:1000].decode(errors="replace")
        return f"HTTP {self.status}: {' '.join(text.split())[:300]}".removesuffix(": ")


@dataclass(frozen=True)
class EngineClient:
    """The engine's HTTP server as seen from inside the pod; `key` is the API key, empty when none is set."""

    port: int
    model: str                                # the served name
    key: str = ""

    def get(self, path: str, timeout_s: float) -> Answer:
        """GET; raises Unanswered."""
        return self._call("GET", path, None, timeout_s)

    def post(self, path: str, content: Mapping[str, object], timeout_s: float) -> Answer:
        """POST JSON; raises Unanswered."""
        return self._call("POST", path, json.dumps(content).encode(), timeout_s)

    def _call(self, method: str, path: str, body: bytes | None, timeout_s: float) -> Answer:
        headers = {"Connection": "close", "User-Agent": "deepseekserve-agent"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = _LoopbackConnection("localhost", self.port, timeout=timeout_s)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read(_MAX_BODY_BYTES))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unanswered(f"{method} {path}: {error or type(error).__name__}") from error
        finally:
            connection.close()


class _LoopbackConnection(http.client.HTTPConnection):
    """Reaches a server that listens on IPv4 or on IPv6 only, whatever /etc/hosts says of localhost."""

    def connect(self) -> None:
        for host in _HOSTS[:-1]:
            try:
                self.sock = socket.create_connection((host, self.port), self.timeout)
            except ConnectionRefusedError:
                continue
            return
        self.sock = socket.create_connection((_HOSTS[-1], self.port), self.timeout)
