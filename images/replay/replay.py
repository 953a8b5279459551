#!/usr/bin/env python3
"""Turns a recorded log into an engine: `vllm serve FOLDER ...` plays it, serves once it says so, and ends as it did.

The folder that is named as the model holds
    log           what the engine wrote
    log.timing    optional: "SECONDS BYTES" for each piece of it, the time since the one before, as script(1) has it;
                  else the engine's own clock in the lines counts, and a log without that has LINES_PER_SECOND
    replay.json   optional: {"speed": 1.0, "exit_code": null}; -9 is the end by signal 9; with null it goes on serving,
                  or fails with 1 if it never did
"""

import argparse
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SERVES = b"Application startup complete"
CLOCK = re.compile(rb"\b\d\d-\d\d \d\d:\d\d:\d\d\b")
LINES_PER_SECOND = 50
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
METRICS = """\
vllm:num_requests_running{{engine="0"}} 0.0
vllm:num_requests_waiting{{engine="0"}} 0.0
vllm:prompt_tokens_total{{engine="0"}} {0}
vllm:generation_tokens_total{{engine="0"}} {0}
"""


def main() -> None:
    """Play the log of the folder that the command line names; ends only where the recorded engine did."""
    options = parse()
    plan = {"speed": 1.0, "exit_code": None, **read_plan(options.model)}
    signal.signal(signal.SIGINT, signal.SIG_DFL)      # Python's handler would add lines to the log
    server = None
    for piece in paced(schedule(options.model), plan["speed"]):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        if SERVES in piece and server is None:
            server = Server(options)
    end(1 if server is None and plan["exit_code"] is None else plan["exit_code"])


def parse() -> argparse.Namespace:
    """Read what matters here of vLLM's command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="vllm", description=__doc__, formatter_class=raw, allow_abbrev=False)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model", type=Path)
    parser.add_argument("--served-model-name", nargs="+", default=[])
    parser.add_argument("--port", type=int, default=8000)
    return parser.parse_known_args()[0]


def read_plan(folder: Path) -> dict:
    """Read how the log is to be played; empty when nobody has said so."""
    file = folder / "replay.json"
    return json.loads(file.read_text()) if file.exists() else {}


def schedule(folder: Path) -> Iterator[tuple[float, bytes]]:
    """Yield each piece of the log with the second at which the engine wrote it."""
    log, timing = (folder / "log").read_bytes(), folder / "log.timing"
    if timing.exists():
        return by_timing(log, timing.read_text())
    lines = log.splitlines(keepends=True)
    return by_clock(lines) if CLOCK.search(log) else ((n / LINES_PER_SECOND, line) for n, line in enumerate(lines))


def by_timing(log: bytes, timing: str) -> Iterator[tuple[float, bytes]]:
    """Cut the log as script(1) has noted it."""
    second, at = 0.0, 0
    for row in timing.splitlines():
        pause, length = row.split()
        second += float(pause)
        yield second, log[at:(at := at + int(length))]


def by_clock(lines: list[bytes]) -> Iterator[tuple[float, bytes]]:
    """Read the time off each line; a line that has none came with the one before it."""
    first, second = None, 0.0
    for line in lines:
        if found := CLOCK.search(line):
            now = datetime.fromisoformat(f"2000-{found[0].decode()}")      # vLLM writes no year
            first = first or now
            second = max(second, (now - first).total_seconds())     # several processes write, one later than another
        yield second, line


def paced(pieces: Iterator[tuple[float, bytes]], speed: float) -> Iterator[bytes]:
    """Yield each piece when it is due."""
    began = time.monotonic()
    for second, piece in pieces:
        time.sleep(max(0.0, began + second / speed - time.monotonic()))
        yield piece


def end(code: int | None) -> None:
    """End as the recorded engine did; one that goes on serving waits for a signal."""
    if code is None:
        signal.pause()
    elif code < 0:
        os.kill(os.getpid(), -code)
    else:
        sys.exit(code)


class Server(ThreadingHTTPServer):
    """Listens from its making on, on threads that end with the process."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(("", options.port), Handler)
        self.names = options.served_model_name or [str(options.model)]
        self.tokens = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    """Answers as vLLM does, every question with one token."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Say that all is well, which models there are, and what has been done."""
        models = [{"id": name, "object": "model"} for name in self.server.names]
        pages = {
            "/health": b"",
            "/metrics": METRICS.format(self.server.tokens).encode(),
            "/v1/models": json.dumps({"object": "list", "data": models}).encode(),
        }
        self.answer(pages.get(self.path))

    def do_POST(self) -> None:
        """Complete a text or a chat."""
        self.rfile.read(int(self.headers["Content-Length"]))
        choices = {
            "/v1/completions": {"index": 0, "text": "1", "finish_reason": "length"},
            "/v1/chat/completions": {
                "index": 0, "message": {"role": "assistant", "content": "1"}, "finish_reason": "length",
            },
        }
        self.server.tokens += 1
        choice = choices.get(self.path)
        answer = {"model": self.server.names[0], "choices": [choice], "usage": USAGE}
        self.answer(json.dumps(answer).encode() if choice else None)

    def answer(self, body: bytes | None) -> None:
        """Send the body, or 404 where there is none."""
        self.send_response(HTTPStatus.NOT_FOUND if body is None else HTTPStatus.OK)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
        """Write the line of vLLM's access log, where it is not asked for at every second."""
        if self.path.startswith("/v1/"):
            client = "{}:{}".format(*self.client_address)
            status = f"{int(code)} {HTTPStatus(int(code)).phrase}"
            sys.stdout.buffer.write(f'INFO:     {client} - "{self.requestline}" {status}\n'.encode())
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
