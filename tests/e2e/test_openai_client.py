"""The official `openai` client against the Service: what a user's program does, with and without the key."""

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import openai
import pytest

from tests.e2e.conftest import KEY, Start
from tests.lab.forward import forwarded
from tests.lab.kubectl import Kubectl

# Paths that answer with a model's work or a user's text; every one must be shut without the key. See the facts page.
INFERENCE = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/invocations",
    "/generative_scoring",
    "/tokenize",
    "/detokenize",
    "/inference/v1/generate",
    "//invocations",
    "/invocations/",
    "/v1/../invocations",
    "/%69nvocations",
    "/INVOCATIONS",
]


@pytest.fixture(scope="module")
def url(kubectl: Kubectl, keyed_start: Start) -> Iterator[str]:
    with forwarded(kubectl, "svc/keyed", 8000) as base:
        yield base


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=120) as made:
        yield made


def post(url: str, path: str, key: str | None = None) -> int:
    """Status code of a POST whose path is sent as it is written here, dots and slashes included."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    connection.request("POST", path, json.dumps({"model": "tiny", "prompt": "Hello", "max_tokens": 1}), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_model_is_listed_under_its_served_name(client: openai.OpenAI) -> None:
    assert [m.id for m in client.models.list()] == ["tiny"]


def test_a_chat_is_answered(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "Say a word."}], max_tokens=8
    )
    assert answer.choices[0].finish_reason in ("length", "stop")
    assert answer.usage
    assert 1 <= answer.usage.completion_tokens <= 8


def test_a_stream_arrives_in_pieces_and_ends(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "Count."}],
        max_tokens=16,
        stream=True,
        temperature=0,
        extra_body={"ignore_eos": True},
    )
    chunks = [c for c in stream if c.choices]
    assert len(chunks) > 2
    assert chunks[-1].choices[0].finish_reason == "length"


def test_a_named_tool_is_called_with_json_arguments(client: openai.OpenAI) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "weather",
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "maxLength": 8}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
    answer = client.chat.completions.create(  # type: ignore[call-overload]
        model="tiny",
        messages=[{"role": "user", "content": "Weather in Paris?"}],
        tools=[tool],
        max_tokens=200,
        temperature=0,
        tool_choice={"type": "function", "function": {"name": "weather"}},
    )
    call = answer.choices[0].message.tool_calls[0].function
    assert call.name == "weather"
    assert isinstance(json.loads(call.arguments)["city"], str)


def test_an_answer_keeps_to_a_json_schema(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["n"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "A digit."}],
        max_tokens=60,
        temperature=0,
        response_format={"type": "json_schema", "json_schema": {"name": "digit", "schema": schema, "strict": True}},
    )
    assert 1 <= json.loads(answer.choices[0].message.content or "")["n"] <= 9


def test_a_wrong_model_name_is_a_404_that_names_it(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="nothing-of-that-name"):
        client.completions.create(model="nothing-of-that-name", prompt="Hello")


def test_a_wrong_key_is_refused(url: str) -> None:
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


def test_twenty_chats_at_once_are_all_answered(client: openai.OpenAI) -> None:
    def ask(n: int) -> int:
        answer = client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": f"Question {n}"}], max_tokens=8
        )
        return answer.usage.completion_tokens if answer.usage else 0

    with ThreadPoolExecutor(20) as pool:
        assert all(tokens >= 1 for tokens in pool.map(ask, range(20)))


@pytest.mark.parametrize("path", INFERENCE)
@pytest.mark.parametrize("key", [None, "wrong"], ids=["no key", "wrong key"])
def test_no_inference_path_is_open_without_the_key(url: str, path: str, key: str | None) -> None:
    assert post(url, path, key) in (401, 404, 405)


@pytest.mark.parametrize("path", ["/invocations", "/tokenize", "/v1/completions"])
def test_the_key_opens_the_inference_paths(url: str, path: str) -> None:
    assert post(url, path, KEY) == 200


@pytest.mark.parametrize("path", ["/docs", "/health", "/metrics", "/openapi.json"])
def test_docs_and_health_answer_without_a_key(url: str, path: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", path)
    assert connection.getresponse().status == 200
    connection.close()
