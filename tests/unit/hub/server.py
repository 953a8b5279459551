"""A small hub: real HTTP on a port of this machine, with the paths, headers and words of huggingface.co."""

import json
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

SHA = "0123456789abcdef0123456789abcdef01234567"
_INFO = re.compile(r"/api/models/(?P<id>[^/]+/[^/]+)(/revision/(?P<revision>[^/]+))?")
_FILE = re.compile(r"/(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass
class Repository:
    """What the hub has under one name."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    token: str | None = None           # without it the repository is not there
    expired: tuple[str, ...] = ()      # tokens that were known once
    gated_token: str | None = None     # without it the files are not
    info: Mapping[str, Any] = field(default_factory=dict)
    disabled: bool = False
    moved: str = ""                    # the name that it has today
    elsewhere: str = ""                # the host that has its large files
    status: int = 0                    # what everything is answered with


@dataclass
class Server:
    """A running hub; `requests` are the paths that it was asked for."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)          # that came with them
    endpoint: str = ""
    hangs: threading.Event = field(default_factory=threading.Event)
    drips: bool = False                # a byte now and then, without an end
    compressed: bool = False
    endless: bool = False


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):         # the client may leave when it has had enough
            super().handle_error(request, client_address)


@contextmanager
def running() -> Iterator[Server]:
    """A hub for one test."""
    server = Server()
    handler = type("Handler", (_Handler,), {"hub": server})
    with _Listener(("127.0.0.1", 0), handler) as listener:
        server.endpoint = f"http://127.0.0.1:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.hangs.set()
            listener.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(path)
        self.hub.tokens.append(self.headers.get("authorization"))
        if found := _INFO.fullmatch(path) or _FILE.fullmatch(path):
            self._found(found["id"], found["revision"], found.groupdict().get("name"))
        else:
            self._answer(404, b"Not Found")

    def _found(self, name: str, revision: str | None, file: str | None) -> None:
        repository = self.hub.repositories.get(name)
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if repository and token in repository.expired:
            self._answer(401, b"", x_error_message="Invalid credentials in Authorization header")
        elif repository is None or (repository.token and token != repository.token):
            message = "Repository not found" if token else "Invalid username or password."
            self._error(404 if token else 401, "RepoNotFound", message)
        elif repository.disabled:
            self._answer(403, b"", x_error_message="Access to this resource is disabled.")
        elif repository.status:
            self._answer(repository.status, b"slow down")
        elif repository.moved:
            self._redirect(self.path.replace(name, repository.moved))
        elif revision not in (None, "main", SHA):
            self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif file is None:
            self._info(repository)
        else:
            self._file(repository, file, token)

    def _info(self, repository: Repository) -> None:
        siblings = [{"rfilename": name, "size": len(data), "blobId": SHA} for name, data in repository.files.items()]
        info = {"_id": "1", "id": "a/b", "sha": SHA, "private": False, "gated": False, "tags": [], "downloads": 1,
                "likes": 1, "siblings": siblings, **repository.info}
        self._answer(200, json.dumps(info).encode())

    def _file(self, repository: Repository, name: str, token: str) -> None:
        if repository.gated_token and token != repository.gated_token:
            return self._error(403 if token else 401, "GatedRepo", "Access to model a/b is restricted.")
        if name not in repository.files:
            return self._error(404, "EntryNotFound", "Entry not found")
        if repository.elsewhere and name.endswith(".safetensors"):
            return self._redirect(f"{repository.elsewhere}{self.path}")
        data, asked = repository.files[name], _RANGE.fullmatch(self.headers.get("range", ""))
        if asked:
            return self._answer(206, data[int(asked[1]):int(asked[2]) + 1])
        return self._answer(200, data)

    def _redirect(self, place: str) -> None:
        self._answer(307, b"", location=place)

    def _error(self, status: int, code: str, message: str) -> None:
        self._answer(status, json.dumps({"error": message}).encode(), x_error_code=code, x_error_message=message)

    def _answer(self, status: int, data: bytes, **headers: str) -> None:
        if self.hub.drips or self.hub.endless:
            return self._without_end()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if self.hub.compressed:
            self.send_header("content-encoding", "gzip")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        return None

    def _without_end(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        part = b" " * (1 << 20) if self.hub.endless else b" "
        try:
            while not self.hub.hangs.wait(0 if self.hub.endless else 0.02):
                self.wfile.write(part)
        except OSError:
            pass                       # the other side has had enough

    def log_message(self, *_: object) -> None:
        pass
