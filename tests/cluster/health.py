"""Asks an API server whether it is ready, over TLS with the admin's certificate; no kubectl process per question."""

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import pki
from tests.cluster.errors import ClusterError


@dataclass(frozen=True)
class ApiServer:
    """One API server and the folder with the certificates to talk to it."""

    address: str
    port: int
    pki: Path

    def get(self, path: str) -> bytes | None:
        """The body that the server answers with code 200; None when it answers otherwise or not at all."""
        trust = pki.admins_trust(self.pki)
        connection = http.client.HTTPSConnection(self.address, self.port, context=trust, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return body if answer.status == http.client.OK else None

    def is_ready(self) -> bool:
        """The server and all its start-up hooks are ready."""
        return self.get("/readyz") is not None


def wait_for(holds: Callable[[], object], what: str, timeout_s: float, *, every_s: float = 0.1) -> None:
    """Look every `every_s` seconds until `holds`; raises ClusterError when it does not within the time."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(every_s)
