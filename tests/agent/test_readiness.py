"""When the agent says ready, and when it does not: never before the log and a real completion say so."""

import json
from typing import Any

import pytest

from tests.agent.conftest import Start
from tests.agent.harness import QUICK, REPO, Agent, engine, until


def asked(agent: Agent, part: str) -> list[str]:
    return [request for request in agent.control()["asked"] if part in request]


def never_ready(agent: Agent, part: str) -> None:
    """The engine has been asked for `part` several times, and the pod is still not ready."""
    until(lambda: agent.answers("/live"), "pages")
    until(lambda: len(asked(agent, part)) >= 5, f"five requests for {part}")
    assert agent.get("/ready").status == 503
    assert agent.status()["ready"] is False


def test_ready_comes_after_the_log_the_model_and_one_completion(start: Start) -> None:
    agent = start(engine())
    until(lambda: agent.answers("/live"), "pages")
    agent.until_ready()
    completions = asked(agent, "/v1/completions")
    assert json.loads(completions[0].split(" ", 2)[2])["max_tokens"] == 1
    assert agent.control()["tokens"] >= 1
    until(lambda: agent.status()["ready"] is True, "ready in the report")
    status = agent.status()
    assert (status["phase"], status["percent"], status["failure"]) == ("Serving", 100, None)
    assert status["engine"]["version"] == "0.32.0"
    assert agent.get("/startup").status == 200


def test_before_readiness_every_page_says_so(start: Start) -> None:
    agent = start(engine(hang=True, until="Loading safetensors"))
    until(lambda: agent.answers("/live"), "pages")
    until(lambda: agent.status()["phase"] == "LoadingWeights", "loading")
    assert agent.get("/ready").status == agent.get("/startup").status == 503
    assert "LoadingWeights" in agent.get("/ready").body
    metrics = agent.get("/metrics").body
    assert 'deepseekserve_agent_phase{phase="LoadingWeights"} 1\n' in metrics
    assert "deepseekserve_agent_ready 0\n" in metrics


def test_a_server_that_the_log_has_not_announced_is_not_ready(start: Start) -> None:
    never_ready(start(engine(announce=False)), "GET /health")


def test_a_server_that_answers_for_long_is_ready_without_a_word_in_the_log(start: Start) -> None:
    agent = start(engine(announce=False), limits={**QUICK, "unannounced_s": 0.5})
    agent.until_ready()
    assert "its answers alone" in " ".join(agent.status()["engine"]["notes"])
    assert agent.status()["phase"] == "Serving"


def test_a_model_of_another_name_is_not_ready(start: Start) -> None:
    agent = start(engine(models=["other"]))
    never_ready(agent, "GET /v1/models")
    assert "/v1/models lists other, not m" in agent.get("/ready").body
    assert asked(agent, "/v1/completions") == []


def test_an_engine_whose_completions_fail_is_not_ready(start: Start) -> None:
    agent = start(engine(completion=500))
    never_ready(agent, "/v1/completions")
    assert "HTTP 500: the model is broken" in agent.get("/ready").body
    agent.control(completion=200)
    agent.until_ready()


def test_a_token_stands_in_for_text_when_the_engine_has_no_tokenizer(start: Start) -> None:
    agent = start(engine(completion=400))
    never_ready(agent, "/v1/completions")
    prompts: list[Any] = [json.loads(r.split(" ", 2)[2])["prompt"] for r in asked(agent, "/v1/completions")]
    assert prompts[:2] == ["1", [1]]


def test_a_model_without_a_chat_template_is_ready_and_degraded(start: Start) -> None:
    agent = start(engine(chat=400))
    agent.until_ready()
    degraded = until(lambda: agent.status()["degraded"], "degraded")
    assert "no chat template" in degraded
    assert agent.status()["settled"] is True
    assert len(asked(agent, "/v1/chat/completions")) == 1


def test_the_report_of_a_ready_engine_is_settled_once_chat_was_looked_at(start: Start) -> None:
    agent = start(engine(mute_chat=True))
    agent.until_ready()
    assert (agent.status()["settled"], agent.status()["degraded"]) == (False, None)
    whole = start(engine())
    whole.until_ready()
    until(lambda: whole.status()["settled"], "settled")
    assert whole.status()["degraded"] is None


def test_the_agent_uses_the_key_and_cuts_a_line_end_off_it(start: Start) -> None:
    agent = start(engine(key="sk-1"), environment={"VLLM_API_KEY": "sk-1\n"})
    agent.until_ready()
    assert agent.control()["environment"]["VLLM_API_KEY"] == "sk-1"


def test_a_wrong_key_is_said(start: Start) -> None:
    agent = start(engine(key="sk-1"))
    never_ready(agent, "GET /v1/models")
    assert "HTTP 401: Unauthorized" in agent.get("/ready").body


def test_the_guard_stands_in_the_engines_command_and_path(start: Start, tmp_path: Any) -> None:
    package = tmp_path / "lib" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    (tmp_path / "lib" / "vllm" / "__init__.py").write_text("raise ImportError('importing costs seconds')")
    (package / "cli_args.py").write_text("class FrontendArgs:\n    middleware: list[str] = []\n")
    source = str(REPO / "operator" / "src")
    agent = start(engine(key="k"), options=["--guard"],
                  environment={"VLLM_API_KEY": "k", "PYTHONPATH": f"{source}:{tmp_path / 'lib'}"})
    agent.until_ready()
    plan = agent.control()
    assert plan["arguments"] == ["--middleware", "deepseekserve.agent.guard.Guard"]
    assert plan["environment"]["PYTHONPATH"].split(":")[-1] == source


def test_an_engine_without_middleware_is_served_with_a_note(start: Start) -> None:
    agent = start(engine(key="k"), options=["--guard"], environment={"VLLM_API_KEY": "k"})
    agent.until_ready()
    assert agent.control()["arguments"] == []
    assert agent.status()["engine"]["notes"][0].startswith("inference paths outside /v1 are open without the key: ")


@pytest.mark.parametrize("parser", ["unlucky", "stuck"])
def test_a_parser_that_fails_leaves_readiness_to_http_alone(start: Start, parser: str) -> None:
    agent = start(engine(announce=False), parser=parser, limits={**QUICK, "parser_hung_s": 0.5, "flush_s": 1.0})
    agent.until_ready()
    assert "can no longer be read" in " ".join(agent.status()["engine"]["notes"])
    assert agent.status()["phase"] == "Serving"
    assert "deepseekserve_agent_parser_broken 1\n" in agent.get("/metrics").body
    until(lambda: agent.out.stat().st_size + agent.err.stat().st_size > 10_000, "the log, nevertheless")
    agent.control(exit_code=0)
    agent.signal()
    assert agent.wait() == 0


def test_a_dead_engine_core_makes_unready_at_once_and_a_cured_one_ready_again(start: Start) -> None:
    agent = start(engine(), limits={**QUICK, "unready_s": 3600, "unresponsive_s": 3600})
    agent.until_ready()
    agent.control(health=503)
    until(lambda: "HTTP 503: EngineDeadError" in agent.get("/ready").body, "the engine's complaint")
    assert agent.get("/ready").status == 503
    agent.control(health=200)
    agent.until_ready()
