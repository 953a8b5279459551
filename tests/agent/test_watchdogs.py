"""What the agent ends by itself: starts that stall, engines that answer nothing; and what it must not end."""

import os
import re
import signal
import time

from tests.agent.conftest import Start
from tests.agent.harness import QUICK, Agent, alive, engine, until


def ended_as(agent: Agent, reason: str, words: str) -> None:
    """The agent has killed everything and says why: in the report, in the log and by its exit code."""
    below = agent.tree()
    assert agent.wait() == 137
    failure = agent.report()["failure"]
    assert failure["reason"] == reason
    assert words in failure["message"]
    assert failure["remedy"]
    assert [pid for pid in below if alive(pid)] == []
    assert f"deepseekserve-agent: {reason}: " in agent.err.read_text()


def test_a_start_without_progress_is_ended_as_stalled(start: Start) -> None:
    agent = start(engine(hang=True, until="Resolved architecture", children=1), options=["--stall-seconds", "1"])
    ended_as(agent, "StartupStalled", "in phase Starting")
    fixes = agent.report()["failure"]["fixes"]
    assert [(f["field"], f["value"]) for f in fixes] == [("spec.startup.stallSeconds", "2")]
    assert "non-default args" in agent.report()["failure"]["logExcerpt"]


def test_an_engine_stopped_while_it_loads_is_ended_as_stalled(start: Start) -> None:
    agent = start(["sh", "-c", "i=0; while :; do i=$((i+1)); echo step$(printf 'x%.0s' $(seq $i)) ; sleep 0.1; done"],
                  options=["--stall-seconds", "1"])
    until(lambda: agent.answers("/live"), "pages")
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 1.5, "more than the budget, with progress")
    assert agent.process.poll() is None
    os.kill(agent.engine_pid(), signal.SIGSTOP)
    ended_as(agent, "StartupStalled", "No progress for 1 seconds")


def test_an_announced_engine_that_never_completes_is_ended_as_stalled(start: Start) -> None:
    agent = start(engine(completion=500), options=["--stall-seconds", "2"])
    ended_as(agent, "StartupStalled", "HTTP 500: the model is broken")


def test_a_stopped_main_process_is_unresponsive(start: Start) -> None:
    agent = start(engine())
    agent.until_ready()
    os.kill(agent.engine_pid(), signal.SIGSTOP)
    until(lambda: agent.answers("/ready", 503), "unready before it is killed")
    ended_as(agent, "EngineUnresponsive", "answered no HTTP request")


def test_a_stopped_engine_core_behind_a_healthy_server_is_unresponsive(start: Start) -> None:
    agent = start(engine(children=1))
    agent.until_ready()
    (core,) = [pid for pid in agent.tree() if pid != agent.engine_pid()]
    agent.control(mute=True)
    os.kill(core, signal.SIGSTOP)
    until(lambda: agent.answers("/ready", 503), "unready before it is killed")
    assert "SIGSTOP" in agent.get("/ready").body
    ended_as(agent, "EngineUnresponsive", "is stopped (SIGSTOP)")


def test_an_idle_engine_that_hangs_is_found_by_a_canary(start: Start) -> None:
    agent = start(engine())
    agent.until_ready()
    agent.control(mute=True)
    ended_as(agent, "EngineUnresponsive", "do not compute")


def test_an_engine_that_hangs_in_the_agents_look_at_chat_is_found(start: Start) -> None:
    agent = start(engine(mute_chat=True))
    agent.until_ready()
    ended_as(agent, "EngineUnresponsive", "do not compute")


def test_an_engine_with_requests_that_do_not_move_is_unresponsive(start: Start) -> None:
    agent = start(engine(), limits={**QUICK, "idle_canary_s": 3600})
    agent.until_ready()
    agent.control(mute=True, requests=3)
    ended_as(agent, "EngineUnresponsive", "without a single token")


def test_a_health_check_that_keeps_failing_is_unresponsive(start: Start) -> None:
    agent = start(engine())
    agent.until_ready()
    agent.control(health=503)
    ended_as(agent, "EngineUnresponsive", "health check has failed")


def test_an_engine_whose_completions_all_fail_is_unresponsive_and_not_hammered(start: Start) -> None:
    agent = start(engine())
    agent.until_ready()
    before = len(agent.control()["asked"])
    agent.control(completion=500)
    until(lambda: agent.answers("/ready", 503), "unready before it is killed")
    asked = [request for request in agent.control()["asked"][before:] if "/v1/completions" in request]
    assert 1 <= len(asked) <= 4
    ended_as(agent, "EngineUnresponsive", "(/v1/completions: HTTP 500: the model is broken)")


LIVING: dict[str, dict[str, object]] = {
    "one long prefill: no token, but it computes": {"mute": True, "requests": 3, "burn": True},
    "nobody asks anything": {"requests": 0},
    "--disable-log-stats": {"metrics": False},
    "the agent's own completion fails, others get tokens": {"completion": 500, "busy": True},
    "under too much load": {"completion": 503},
    "under too much load, says a proxy": {"completion": 429},
    "a process is stopped that is not needed": {"asked": []},
}


def test_an_engine_that_lives_is_left_alone(start: Start) -> None:
    patient_s = 2 * QUICK["unresponsive_s"]          # seven engines, one of which burns: each must get its turn
    agents = [start(engine(children=1), limits={**QUICK, "unresponsive_s": patient_s}) for _ in LIVING]
    for agent, plan in zip(agents, LIVING.values(), strict=True):
        agent.until_ready()
        agent.control(**plan)
    (helper,) = [pid for pid in agents[-1].tree() if pid != agents[-1].engine_pid()]
    os.kill(helper, signal.SIGSTOP)
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 2.5 * patient_s, "twice the time that a dead one is given")
    said = {why: agent.get("/ready").body for why, agent in zip(LIVING, agents, strict=True)}
    assert said == dict.fromkeys(LIVING, "ready\n")


def test_an_idle_engine_is_not_burdened(start: Start) -> None:
    agent = start(engine())
    agent.until_ready()
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 4 * QUICK["idle_canary_s"], "time for four canaries")
    found = re.search(r"probe_completions_total (\d+)", agent.get("/metrics").body)
    assert found is not None
    assert 2 <= int(found[1]) <= 7
