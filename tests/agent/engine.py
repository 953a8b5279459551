"""An engine made of the standard library: replays a real log, then serves what vLLM serves, and misbehaves when told.

Run as a program by the tests of the agent. Everything it does is in one JSON argument (see `Plan`); while it runs,
POST /control changes the plan. It imports nothing of ours.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LINE = re.compile(r"\[ *[0-9.]+\] ?(.*)\n?")
ANNOUNCED = "Application startup complete."
FOREVER_S = 3600.0
ANNOUNCED_AFTER_S = 0.386       # as recorded in ok-a-cold: stdout and stderr are two pipes, and only time orders them


@dataclass
class Plan:
    log: str = ""                       # a recorded log, replayed up to (not with) its first line that holds `until`
    until: str = "\x00"
    announce: bool = True
    port: int = 0
    model: str = "m"
    key: str = ""
    exit_code: int | None = None        # end right after the log
    hang: bool = False                  # sleep after the log, with no server
    chat: int = 200
    completion: int = 200
    error: str = ""                     # goes to the log with every inference request that fails
    health: int = 200
    requests: int = 0
    tokens: int = 0
    busy: bool = False                  # tokens come for others, more at each look at the metrics
    metrics: bool = True
    models: list[str] = field(default_factory=list)
    slow_end_s: float = 0.0             # time from SIGTERM to the end
    ignore_term: bool = False
    orphans: int = 0                    # children in sessions of their own that outlive us
    mute: bool = False                  # completions hang
    mute_chat: bool = False             # chat hangs
    burn: bool = False                  # compute all the time
    children: int = 0                   # children in our own session
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    arguments: list[str] = field(default_factory=lambda: sys.argv[2:])
    asked: list[str] = field(default_factory=list)


PLAN = Plan(**json.loads(sys.argv[1]))


def replay() -> None:
    with open(PLAN.log, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            found = LINE.fullmatch(line)
            if found is None:
                continue
            if PLAN.until in line:
                return
            text = found[1].replace("<CR>", "\r")
            text = text[:-6] + "\r\n" if text.endswith("<CRLF>") else text + ("" if text.endswith("\r") else "\n")
            os.write(1 if "pid=" in text else 2, text.encode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.note("")
        if self.path == "/health":
            self.answer(PLAN.health, {"error": {"message": "EngineDeadError"}} if PLAN.health >= 500 else {})
        elif self.path == "/metrics":
            self.answer(200 if PLAN.metrics else 404, metrics().encode())
        elif self.path == "/v1/models" and self.allowed():
            names = PLAN.models or [PLAN.model]
            self.answer(200, {"object": "list", "data": [{"id": n} for n in names]})
        elif self.path == "/control":
            self.answer(200, PLAN.__dict__ | {"pid": os.getpid()})
        else:
            self.answer(404, {"error": {"message": "Not Found"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        if self.path == "/control":
            for name, value in body.items():
                setattr(PLAN, name, value)
            threading.Thread(target=burn, daemon=True).start()
            self.answer(200, {})
            return
        self.note(json.dumps(body))
        if self.allowed():
            self.infer()

    def infer(self) -> None:
        chat = self.path == "/v1/chat/completions"
        if PLAN.mute or (PLAN.mute_chat and chat):
            time.sleep(FOREVER_S)
        status = PLAN.chat if chat else PLAN.completion
        if status != 200:
            os.write(2, PLAN.error.encode())
            complaint = "default chat template is no longer allowed" if chat else "the model is broken"
            self.answer(status, {"error": {"message": complaint}})
            return
        PLAN.tokens += 1
        self.answer(200, {"choices": [{"text": "x"}]})

    def allowed(self) -> bool:
        if PLAN.key and self.headers.get("Authorization") != f"Bearer {PLAN.key}":
            self.answer(401, {"error": "Unauthorized"})
            return False
        return True

    def note(self, body: str) -> None:
        if self.path != "/control":
            PLAN.asked.append(f"{self.command} {self.path} {body}".strip())

    def answer(self, status: int, content: Any) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def metrics() -> str:
    PLAN.tokens += PLAN.busy
    return (f'vllm:num_requests_running{{engine="0"}} {PLAN.requests}\nvllm:num_requests_waiting{{engine="0"}} 0\n'
            f'vllm:generation_tokens_total{{engine="0"}} {PLAN.tokens}\n')


def burn() -> None:
    while PLAN.burn:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET


def end(*_: object) -> None:
    if PLAN.ignore_term:
        return
    time.sleep(PLAN.slow_end_s)
    os._exit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, end)
    for number in range(PLAN.orphans + PLAN.children):
        subprocess.Popen(["sleep", "3600"], start_new_session=number < PLAN.orphans)
    if PLAN.log:
        replay()
    if PLAN.exit_code is not None:
        os._exit(PLAN.exit_code)
    if PLAN.hang:
        time.sleep(FOREVER_S)
    server = Server(("127.0.0.1", PLAN.port), Handler)
    if PLAN.announce:
        time.sleep(ANNOUNCED_AFTER_S)
        os.write(2, f"INFO:     {ANNOUNCED}\n".encode())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        signal.pause()


main()
