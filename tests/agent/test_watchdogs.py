"""What the agent ends by itself: starts that stall, engines that answer nothing; and what it must not end."""

import os
import re
import signal
import sys
import time
from functools import partial

from tests.agent.conftest import Start
from tests.agent.harness import QUICK, Agent, alive, engine, until

HASTY = {**QUICK, "unresponsive_s": 1.5}
WARY = {**QUICK, "unready_s": 0.6, "unresponsive_s": 3600}      # doubts soon and never kills: time to look at the doubt


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
    agent = start(engine(hang=True, until="Resolved architecture", children=1), options=["--stall-seconds", "3"])
    ended_as(agent, "StartupStalled", "in phase Starting")
    fixes = agent.report()["failure"]["fixes"]
    assert [(f["field"], f["value"]) for f in fixes] == [("spec.startup.stallSeconds", "6")]
    assert "non-default args" in agent.report()["failure"]["logExcerpt"]


STEPS = "import itertools, time\nfor n in itertools.count(): print('step' + n * 'x', flush=True); time.sleep(0.1)"


def test_an_engine_stopped_while_it_loads_is_ended_as_stalled(start: Start) -> None:
    agent = start([sys.executable, "-S", "-c", STEPS], options=["--stall-seconds", "3"])
    until(lambda: agent.answers("/live"), "pages")
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 3.5, "more than the budget, with progress")
    assert agent.process.poll() is None
    os.kill(agent.engine_pid(), signal.SIGSTOP)
    ended_as(agent, "StartupStalled", "No progress for ")
    found = re.search(r"No progress for (\d+) seconds", agent.report()["failure"]["message"])
    assert found is not None
    assert int(found[1]) >= 3


def test_an_announced_engine_that_never_completes_is_ended_as_stalled(start: Start) -> None:
    agent = start(engine(completion=500), options=["--stall-seconds", "3"])
    ended_as(agent, "StartupStalled", "HTTP 500: the model is broken")


def stop_main(agent: Agent) -> None:
    os.kill(agent.engine_pid(), signal.SIGSTOP)


def stop_core(agent: Agent) -> None:
    """Stop the child of a server that goes on answering; stopped before it is mute, it is never only mute."""
    (core,) = [pid for pid in agent.tree() if pid != agent.engine_pid()]
    os.kill(core, signal.SIGSTOP)
    agent.control(mute=True)


def unready_for(agent: Agent, words: str) -> None:
    until(lambda: words in agent.get("/ready").body, f"unready: {words}")
    assert agent.get("/ready").status == 503


def test_a_stopped_main_process_is_unresponsive(start: Start) -> None:
    # With a request of ours on its way, that would be what waits.
    agent = start(engine(), limits={**HASTY, "idle_canary_s": 3600})
    agent.until_ready()
    until(lambda: agent.status()["settled"], "a look at chat")
    stop_main(agent)
    ended_as(agent, "EngineUnresponsive", "answered no HTTP request")


def test_a_stopped_engine_core_behind_a_healthy_server_is_unresponsive(start: Start) -> None:
    agent = start(engine(children=1), limits=HASTY)
    agent.until_ready()
    stop_core(agent)
    ended_as(agent, "EngineUnresponsive", "is stopped (SIGSTOP)")


def test_a_stopped_engine_is_unready_before_it_is_killed(start: Start) -> None:
    main, core = (start(engine(children=1), limits=WARY) for _ in range(2))
    for agent, stop in ((main, stop_main), (core, stop_core)):
        agent.until_ready()
        stop(agent)
    unready_for(main, "answered no HTTP request")
    unready_for(core, "is stopped (SIGSTOP)")


def test_an_idle_engine_that_hangs_is_found_by_a_canary(start: Start) -> None:
    agent = start(engine(), limits=HASTY)
    agent.until_ready()
    agent.control(mute=True)
    ended_as(agent, "EngineUnresponsive", "do not compute")


def test_an_engine_that_hangs_in_the_agents_look_at_chat_is_found(start: Start) -> None:
    agent = start(engine(mute_chat=True), limits=HASTY)
    assert agent.engine_pid()
    ended_as(agent, "EngineUnresponsive", "do not compute")


def test_an_engine_with_requests_that_do_not_move_is_unresponsive(start: Start) -> None:
    agent = start(engine(), limits={**HASTY, "idle_canary_s": 3600})
    agent.until_ready()
    agent.control(mute=True, requests=3)
    ended_as(agent, "EngineUnresponsive", "without a single token")


def test_a_health_check_that_keeps_failing_is_unresponsive(start: Start) -> None:
    agent = start(engine(), limits=HASTY)
    agent.until_ready()
    agent.control(health=503)
    ended_as(agent, "EngineUnresponsive", "health check has failed")


def test_an_engine_whose_completions_all_fail_is_unresponsive(start: Start) -> None:
    agent = start(engine(), limits=HASTY)
    agent.until_ready()
    agent.control(completion=500)
    ended_as(agent, "EngineUnresponsive", "(/v1/completions: HTTP 500: the model is broken)")


def test_an_engine_whose_completions_all_fail_is_unready_first_and_not_hammered(start: Start) -> None:
    agent = start(engine(), limits=WARY)
    agent.until_ready()
    began, before = time.monotonic(), len(agent.control()["asked"])
    agent.control(completion=500)
    unready_for(agent, "(/v1/completions: HTTP 500: the model is broken)")
    asked = [request for request in agent.control()["asked"][before:] if "/v1/completions" in request]
    assert 1 <= len(asked) <= 1 + (time.monotonic() - began) / WARY["idle_canary_s"]


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
    patient_s = 4.0                                  # seven engines, one of which burns: each must get its turn
    limits = {**QUICK, "unready_s": patient_s / 2, "unresponsive_s": patient_s}
    agents = [start(engine(children=1), limits=limits) for _ in LIVING]
    for agent, plan in zip(agents, LIVING.values(), strict=True):
        agent.until_ready()
        agent.control(**plan)
    (helper,) = [pid for pid in agents[-1].tree() if pid != agents[-1].engine_pid()]
    os.kill(helper, signal.SIGSTOP)
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 2 * patient_s, "twice the time that a dead one is given")
    assert [why for why, agent in zip(LIVING, agents, strict=True) if agent.process.poll() is not None] == []
    for why, agent in zip(LIVING, agents, strict=True):
        until(partial(agent.answers, "/ready"), f"ready: {why}")


def completions(agent: Agent) -> int:
    found = re.search(r"probe_completions_total (\d+)", agent.get("/metrics").body)
    assert found is not None
    return int(found[1])


def test_an_idle_engine_is_not_burdened(start: Start) -> None:
    agent = start(engine())
    agent.until_ready()
    began, before = time.monotonic(), completions(agent)
    until(lambda: completions(agent) >= before + 4, "four canaries")
    assert time.monotonic() - began >= 3 * QUICK["idle_canary_s"]
