"""The guard, held against every route of vLLM 0.32 and every trick on paths, with the smallest ASGI server."""

import asyncio
import json
import re
from collections.abc import MutableMapping
from typing import Any

import pytest

from deepseekserve.agent.guard import OPEN_PATHS, Guard
from tests.agent.harness import LOGS

KEY = "sk-secret"
OPEN = [
    ("GET", p) for p in ("/health", "/ping", "/metrics", "/version", "/load", "/docs", "/redoc", "/openapi.json")
]
ROUTES = re.findall(r"Route: (\S+), Methods: (.+)", (LOGS / "ok-f-fastest.log").read_text())
CLOSED = sorted({
    (method, path) for path, methods in ROUTES for method in methods.split(", ") if path not in OPEN_PATHS
} | {("POST", "/ping")})


def ask(guard: Guard, scope: MutableMapping[str, Any]) -> tuple[bool, list[MutableMapping[str, Any]]]:
    """Return whether the engine behind the guard was reached, and what the guard itself sent."""
    sent: list[MutableMapping[str, Any]] = []
    reached = False

    async def engine(_scope: object, _receive: object, _send: object) -> None:
        nonlocal reached
        reached = True

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    guard.app = engine
    asyncio.run(_run(guard, scope, receive, send))
    return reached, sent


async def _run(guard: Guard, scope: Any, receive: Any, send: Any) -> None:
    await guard(scope, receive, send)


def http(method: str, path: str, *headers: tuple[bytes, bytes], root: str = "") -> MutableMapping[str, Any]:
    return {"type": "http", "method": method, "path": path, "root_path": root, "headers": list(headers)}


def bearer(key: str) -> tuple[bytes, bytes]:
    return (b"authorization", f"Bearer {key}".encode())


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> Guard:
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    return Guard(_nowhere)


async def _nowhere(_scope: object, _receive: object, _send: object) -> None:
    raise AssertionError("replaced by `ask`")


def test_the_log_lists_the_routes_that_this_is_about() -> None:
    assert {("POST", "/invocations"), ("POST", "/generative_scoring"), ("POST", "/tokenize"), ("POST", "/detokenize"),
            ("POST", "/inference/v1/generate"), ("POST", "/v1/chat/completions")} <= set(CLOSED)


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_no_route_but_the_open_ones_is_reached_without_the_key(guard: Guard, method: str, path: str) -> None:
    reached, sent = ask(guard, http(method, path))
    assert not reached
    assert sent[0]["status"] == 401
    assert (b"www-authenticate", b"Bearer") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_every_route_is_reached_with_the_key(guard: Guard, method: str, path: str) -> None:
    assert ask(guard, http(method, path, bearer(KEY))) == (True, [])


@pytest.mark.parametrize(("method", "path"), [*OPEN, ("HEAD", "/health"), ("GET", "/health/"),
                                              ("GET", "/docs/oauth2-redirect"), ("GET", "/static/swagger-ui.css")])
def test_open_paths_need_no_key(guard: Guard, method: str, path: str) -> None:
    assert ask(guard, http(method, path)) == (True, [])


@pytest.mark.parametrize("path", [
    "//invocations", "/invocations/", "/INVOCATIONS", "/health/../invocations", "/health//", "/healthz", "//health",
    "/metrics/x", "/health%2f..%2finvocations", "", "health", "*", "/static", "/docs/../tokenize", "http://x/health",
])
def test_no_spelling_of_a_path_opens_it(guard: Guard, path: str) -> None:
    assert not ask(guard, http("GET", path))[0]


def test_a_method_that_does_not_read_is_closed_even_on_open_paths(guard: Guard) -> None:
    assert [m for m in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "get") if ask(guard, http(m, "/metrics"))[0]] == []


@pytest.mark.parametrize("headers", [
    (), (bearer("sk-wrong"),), (bearer(""),), (bearer(KEY + " "),), (bearer(KEY + "x"),), (bearer(KEY[:-1]),),
    ((b"authorization", KEY.encode()),), ((b"authorization", b"Basic " + KEY.encode()),),
    ((b"x-api-key", KEY.encode()),), ((b"authorization", b"Bearer"),), (bearer("sk-wrong"), bearer(KEY)),
    ((b"authorization", b"Bearer \xff\xfe"),),
])
def test_only_the_right_key_in_the_first_authorization_header_counts(guard: Guard, headers: Any) -> None:
    assert not ask(guard, http("POST", "/v1/chat/completions", *headers))[0]


def test_the_scheme_may_be_written_in_any_case(guard: Guard) -> None:
    headers = (b"Authorization", b"bEARER " + KEY.encode())
    assert ask(guard, http("POST", "/invocations", headers))[0]


def test_a_key_outside_ascii_is_compared_as_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "schlüssel")
    assert ask(Guard(_nowhere), http("POST", "/tokenize", bearer("schlüssel")))[0]


def test_without_a_key_everything_but_the_open_paths_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_API_KEY", raising=False)
    guard = Guard(_nowhere)
    assert not ask(guard, http("POST", "/v1/chat/completions", bearer("")))[0]
    assert ask(guard, http("GET", "/health"))[0]


def test_a_root_path_is_left_out_before_the_path_is_judged(guard: Guard) -> None:
    assert ask(guard, http("GET", "/llm/health", root="/llm"))[0]
    assert ask(guard, http("GET", "/llm/health", root="/llm/"))[0]
    assert ask(guard, http("GET", "/health", root="/llm"))[0]
    assert not ask(guard, http("POST", "/llm/invocations", root="/llm"))[0]
    assert not ask(guard, http("GET", "/llmhealth", root="/llm"))[0]
    assert not ask(guard, http("GET", "/llm/health"))[0]


def test_a_browser_may_ask_what_it_may_send(guard: Guard) -> None:
    preflight = ((b"origin", b"https://a"), (b"access-control-request-method", b"POST"))
    assert ask(guard, http("OPTIONS", "/v1/chat/completions", *preflight))[0]
    assert not ask(guard, http("OPTIONS", "/v1/chat/completions"))[0]


def test_a_websocket_needs_the_key(guard: Guard) -> None:
    scope = {"type": "websocket", "path": "/v1/realtime", "headers": []}
    reached, sent = ask(guard, dict(scope))
    assert (reached, [m["type"] for m in sent]) == (False, ["websocket.close"])
    reached, sent = ask(guard, {**scope, "path": "/health", "extensions": {"websocket.http.response": {}}})
    assert (reached, sent[0]["type"], sent[0]["status"]) == (False, "websocket.http.response.start", 401)
    assert ask(guard, {**scope, "headers": [bearer(KEY)]})[0]


def test_the_start_and_end_of_the_server_pass(guard: Guard) -> None:
    assert ask(guard, {"type": "lifespan"})[0]
