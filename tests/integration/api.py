"""Speaks HTTP with an API server over one kept connection: thousands of requests, no kubectl process for each."""

import http.client
import json
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode, urlsplit

from tests.cluster import pki
from tests.cluster.controlplane import ControlPlane

JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class Answer(NamedTuple):
    """The HTTP code, and the object or the metav1.Status that came with it."""

    code: int
    body: dict[str, Any]

    @property
    def message(self) -> str:
        """What the server complains about."""
        return str(self.body.get("message") or "")


class Api:
    """One connection as cluster admin; use as a context manager."""

    def __init__(self, plane: ControlPlane) -> None:
        address, trust = urlsplit(plane.server).netloc, pki.admins_trust(plane.folder / "pki")
        self._connection = http.client.HTTPSConnection(address, context=trust, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def post(self, path: str, body: object, **query: str) -> Answer:
        """POST an object; `query` as in dryRun=All."""
        self._connection.request("POST", f"{path}?{urlencode(query)}", json.dumps(body), JSON)
        with self._connection.getresponse() as answer:
            return Answer(answer.status, json.loads(answer.read()))
