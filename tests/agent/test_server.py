"""The agent's pages under every kind of client: slow, silent, rude and many."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from deepseekserve.agent.limits import Limits
from deepseekserve.agent.server import Page, Server, listen
from tests.agent.harness import until

LIMITS = Limits(connections=8, connection_s=3600)      # nobody is served because another's time is up
SECONDS = 20.0


def respond(path: str) -> Page:
    if path == "/broken":
        raise RuntimeError("a page that fails")
    return Page(200, b"x" * 3_000_000 if path == "/long" else path.encode())


@contextlib.contextmanager
def serving(limits: Limits) -> Iterator[int]:
    with listen(0) as listener:
        Server(listener, respond, time.monotonic, limits).start()
        yield listener.getsockname()[1]


@pytest.fixture
def port() -> Iterator[int]:
    with serving(LIMITS) as number:
        yield number


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def say(port: int, data: bytes) -> bytes:
    """Send and read until the server closes."""
    with connect(port) as client:
        client.sendall(data)
        return _read(client)


def _read(client: socket.socket) -> bytes:
    received = bytearray()
    while data := client.recv(65536):
        received += data
    return bytes(received)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_pages_are_served_on_ipv4_and_ipv6(port: int, host: str) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    connection.request("GET", "/live?verbose")
    response = connection.getresponse()
    assert (response.status, response.read(), response.headers["Connection"]) == (200, b"/live", "close")


@pytest.mark.parametrize(("request_", "answer"), [
    (b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK"),
    (b"GET /a HTTP/1.0\n\n", b"HTTP/1.1 200 OK"),
    (b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"HTTP/1.1 405 Method Not Allowed"),
    (b"nonsense\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
    (b"\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", b"HTTP/1.1 400 Bad Request"),
    (b"GET /a HTTP/2\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", b"HTTP/1.1 431 Request Header Fields Too Large"),
    (b"GET /a HTTP/1.1\r\n" + b"x" * 20_000, b"HTTP/1.1 431 Request Header Fields Too Large"),
    (b"GET /broken HTTP/1.1\r\n\r\n", b"HTTP/1.1 500 Internal Server Error"),
])
def test_every_request_gets_an_answer(port: int, request_: bytes, answer: bytes) -> None:
    assert say(port, request_).startswith(answer + b"\r\n")


def test_head_has_the_length_and_no_body(port: int) -> None:
    head, _, body = say(port, b"HEAD /abc HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")
    assert b"Content-Length: 4" in head
    assert body == b""


def test_a_request_may_come_byte_by_byte(port: int) -> None:
    with connect(port) as client:
        for byte in b"GET /slow HTTP/1.1\r\n\r\n":
            client.sendall(bytes([byte]))
        assert _read(client).endswith(b"\r\n\r\n/slow")


def test_a_long_answer_arrives_whole(port: int) -> None:
    assert len(say(port, b"GET /long HTTP/1.1\r\n\r\n")) > 3_000_000


@pytest.mark.parametrize("behave", [
    lambda _: None,
    lambda client: client.sendall(b"GET /live HT"),
    lambda client: client.sendall(b"GET /long HTTP/1.1\r\n\r\n"),
], ids=["silent", "half a request", "reads nothing"])
def test_clients_that_hang_do_not_keep_others_out(port: int, behave: Callable[[socket.socket], None]) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5 * LIMITS.connections):
            with contextlib.suppress(OSError):
                behave(stack.enter_context(connect(port)))
        assert say(port, b"GET /live HTTP/1.1\r\n\r\n").endswith(b"/live")


def test_a_client_that_hangs_is_dropped_after_its_time() -> None:
    with serving(replace(LIMITS, connection_s=2.0)) as port:
        began = time.monotonic()
        with connect(port) as client:
            assert client.recv(1) == b""
            assert time.monotonic() - began >= 2.0


def test_clients_that_go_away_at_once_leave_nothing_behind(port: int) -> None:
    for _ in range(200):
        with connect(port) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            client.sendall(b"GET /long HTTP/1.1\r\n\r\n")
    assert say(port, b"GET /live HTTP/1.1\r\n\r\n").endswith(b"/live")


def test_many_at_once_are_all_served(port: int) -> None:
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(say(port, b"GET /a HTTP/1.1\r\n\r\n"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(answers) == 8, "eight answers", SECONDS)
    assert all(answer.endswith(b"/a") for answer in answers)


def test_a_taken_port_is_an_error() -> None:
    with listen(0) as listener, pytest.raises(OSError, match="in use"):
        listen(listener.getsockname()[1])
