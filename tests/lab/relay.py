"""A path to a server whose connections can go dead, as those through a load balancer do that has forgotten them."""

import contextlib
import itertools
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK = 2**16


class Relay(socketserver.ThreadingTCPServer):
    """Carries bytes between its clients and one server."""

    daemon_threads = True

    def __init__(self, server: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.server = server
        self.numbers = itertools.count()
        self.first_alive = 0

    def forget(self) -> None:
        """From now on, no byte of the connections that are open goes anywhere; they stay open. New ones work."""
        self.first_alive = next(self.numbers) + 1


class _Connection(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        number = next(self.server.numbers)
        with socket.create_connection(self.server.server) as upstream:
            back = threading.Thread(target=self._carry, args=(number, upstream, self.request), daemon=True)
            back.start()
            self._carry(number, self.request, upstream)
            back.join()

    def _carry(self, number: int, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):          # either end may be gone at any moment
            while chunk := source.recv(CHUNK):
                if number >= self.server.first_alive:
                    target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def relayed(host: str, port: int) -> Iterator[Relay]:
    """A relay to a server; `server_address` is where it listens."""
    with Relay((host, port)) as relay:
        threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield relay
        finally:
            relay.shutdown()
