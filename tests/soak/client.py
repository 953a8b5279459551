"""Talks to a control plane's API server as its admin, directly and without a kubectl process for each request."""

import http.client
import json
import ssl
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

from deepseekserve.kube import Kind
from tests.cluster import pki
from tests.cluster.controlplane import ControlPlane
from tests.lab.kubectl import Object

TIMEOUT_S = 30
MERGE = "application/merge-patch+json"


class Refused(Exception):
    """The API server answered with a code of 400 or above."""

    def __init__(self, what: str, code: int, body: str) -> None:
        super().__init__(f"{what}: {code}: {body[:500]}")
        self.code = code


@dataclass(frozen=True)
class Client:
    """An admin of one control plane; safe to be used by several threads."""

    plane: ControlPlane

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """One object; None when there is none of that name."""
        try:
            return self.send("GET", kind.path(namespace, name))
        except Refused as error:
            if error.code == http.client.NOT_FOUND:
                return None
            raise

    def list(self, kind: Kind, namespace: str | None = None, selector: str = "") -> list[Object]:
        """All objects of a kind, of one namespace or of all, narrowed by a label selector."""
        query = {"labelSelector": selector} if selector else {}
        items: list[Object] = self.send("GET", f"{kind.path(namespace)}?{urlencode(query)}")["items"]
        return items

    def create(self, kind: Kind, obj: Object) -> Object:
        """POST it; `obj` names its namespace."""
        return self.send("POST", kind.path(obj["metadata"]["namespace"]), obj)

    def patch(self, kind: Kind, key: tuple[str, str], change: Object, subresource: str = "") -> Object:
        """Merge a change into the object with this namespace and name."""
        return self.send("PATCH", kind.path(*key, subresource), change, MERGE)

    def delete(self, kind: Kind, key: tuple[str, str]) -> None:
        """Delete the object with this namespace and name, its dependants in the background; none is fine."""
        try:
            self.send("DELETE", kind.path(*key), {"propagationPolicy": "Background"})
        except Refused as error:
            if error.code != http.client.NOT_FOUND:
                raise

    def send(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Object:
        """One request; its answer, or Refused, or OSError when there is none."""
        with closing(self._connection()) as connection:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": content_type, "Accept": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise Refused(f"{method} {path}", answer.status, content.decode(errors="replace"))
        found: Object = json.loads(content)
        return found

    def _connection(self) -> http.client.HTTPSConnection:
        address = urlsplit(self.plane.server)
        return http.client.HTTPSConnection(address.hostname or "", address.port, context=self._trust, timeout=TIMEOUT_S)

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return pki.admins_trust(self.plane.folder / "pki")
