"""Turns requests for the agent's pages into answers, on one thread, whatever clients do.

Slow, silent or endless clients cost one slot each until their time is up; when all slots are taken the oldest goes,
so that the kubelet's probes always get through. Answers come from `pages`; every answer closes its connection.
"""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from deepseekserve.agent.clock import Clock
from deepseekserve.agent.limits import Limits


@dataclass(frozen=True)
class Page:
    """An answer: status, media type and body."""

    status: int
    body: bytes
    media_type: str = "text/plain; charset=utf-8"


@dataclass
class _Connection:
    socket: socket.socket
    deadline: float
    received: bytearray = field(default_factory=bytearray)
    to_send: memoryview = field(default_factory=lambda: memoryview(b""))
    answered: bool = False


def listen(port: int) -> socket.socket:
    """Listen on every IPv6 and IPv4 address, or on IPv4 alone where IPv6 is off; raises OSError when it is taken."""
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
    return socket.create_server(("0.0.0.0", port), backlog=128)


class Server(threading.Thread):
    """Serves `respond(path)` on a listening socket until the process ends."""

    def __init__(self, listener: socket.socket, respond: Callable[[str], Page], clock: Clock, limits: Limits) -> None:
        super().__init__(name="server", daemon=True)
        self._listener = listener
        self._respond = respond
        self._clock = clock
        self._limits = limits
        self._selector = selectors.DefaultSelector()
        self._connections: dict[int, _Connection] = {}     # by descriptor, oldest first

    def run(self) -> None:
        """Accept, read, answer, close; for ever."""
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        while True:
            for key, _ in self._selector.select(1.0):
                if key.data is None:
                    self._accept()
                elif key.fd in self._connections:
                    self._advance(key.data)
            now = self._clock()
            for connection in [c for c in self._connections.values() if c.deadline <= now]:
                self._close(connection)

    def _accept(self) -> None:
        if len(self._connections) >= self._limits.connections:
            self._close(next(iter(self._connections.values())))
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        client.setblocking(False)
        connection = _Connection(client, self._clock() + self._limits.connection_s)
        self._connections[client.fileno()] = connection
        self._selector.register(client, selectors.EVENT_READ, connection)

    def _advance(self, connection: _Connection) -> None:
        try:
            if connection.to_send:
                self._send(connection)
            else:
                self._receive(connection)
        except BlockingIOError:
            pass
        except OSError:
            self._close(connection)

    def _receive(self, connection: _Connection) -> None:
        """Read up to the end of the head; after the answer, read and forget until the client closes."""
        data = connection.socket.recv(4096)
        if not data:
            self._close(connection)
            return
        if connection.answered:
            return
        connection.received += data
        page = self._page(bytes(connection.received))
        if page is not None:
            connection.to_send = memoryview(page)
            self._selector.modify(connection.socket, selectors.EVENT_WRITE, connection)
            self._send(connection)

    def _send(self, connection: _Connection) -> None:
        connection.to_send = connection.to_send[connection.socket.send(connection.to_send):]
        if not connection.to_send:
            connection.answered = True
            self._selector.modify(connection.socket, selectors.EVENT_READ, connection)
            connection.socket.shutdown(socket.SHUT_WR)     # a close with unread data would reset the answer away

    def _page(self, received: bytes) -> bytes | None:
        """Return the whole answer once the request's head is complete."""
        head, end, _ = received.replace(b"\r\n", b"\n").partition(b"\n\n")
        if len(head) > self._limits.header_bytes:
            return _encode(Page(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"too large\n"))
        if not end:
            return None
        words = head.split(b"\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _encode(Page(HTTPStatus.BAD_REQUEST, b"not HTTP/1.1\n"))
        if words[0] not in ("GET", "HEAD"):
            return _encode(Page(HTTPStatus.METHOD_NOT_ALLOWED, b"only GET and HEAD\n"))
        return _encode(self._answer(words[1]), with_body=words[0] == "GET")

    def _answer(self, target: str) -> Page:
        try:
            return self._respond(target.partition("?")[0])
        except Exception as error:  # noqa: BLE001  one page that fails must not end the probes
            return Page(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}\n".encode())

    def _close(self, connection: _Connection) -> None:
        descriptor = connection.socket.fileno()
        if self._connections.pop(descriptor, None) is not None:
            self._selector.unregister(connection.socket)
            connection.socket.close()


def _encode(page: Page, *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {int(page.status)} {HTTPStatus(page.status).phrase}\r\nContent-Type: {page.media_type}\r\n"
        f"Content-Length: {len(page.body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (page.body if with_body else b"")
