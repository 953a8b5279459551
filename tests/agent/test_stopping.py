"""SIGTERM: at once while the engine starts, a lame duck while it serves; and in which order everything ends."""

import os
import signal
import time

import pytest

from tests.agent.conftest import Start
from tests.agent.harness import QUICK, Agent, alive, engine, until

NEVER = {**QUICK, "lame_duck_s": 3600, "terminate_s": 3600}      # with as long a drain: nothing ends by its time


def until_lame_duck(agent: Agent) -> None:
    until(lambda: "lame duck" in agent.get("/ready").body, "the lame duck")
    assert agent.get("/ready").status == 503


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_starting_engine_is_killed_at_once_with_all_its_children(start: Start, number: int) -> None:
    agent = start(engine(hang=True, ignore_term=True, orphans=1, children=1), options=["--drain-seconds", "3600"],
                  limits=NEVER)
    until(lambda: len(agent.tree()) == 3, "the engine and its children")
    below = agent.tree()
    until(lambda: agent.answers("/live"), "pages")
    agent.signal(number)
    assert agent.wait() == 0
    assert [pid for pid in below if alive(pid)] == []
    assert agent.report()["failure"] is None
    assert agent.report()["exitCode"] == 0


def test_a_serving_engine_is_unready_first_but_answers(start: Start) -> None:
    agent = start(engine(), options=["--drain-seconds", "3600"], limits=NEVER)
    agent.until_ready()
    agent.signal()
    until_lame_duck(agent)
    assert agent.control()["pid"]
    assert agent.get("/live").status == 200
    assert agent.status()["ready"] is False


def test_an_idle_engine_is_kept_for_the_lame_ducks_time(start: Start) -> None:
    agent = start(engine(), limits={**QUICK, "lame_duck_s": 1.0})
    agent.until_ready()
    began = time.monotonic()
    agent.signal()
    assert agent.wait() == 0
    assert time.monotonic() - began >= 1.0


def test_running_requests_hold_the_end_until_they_are_done(start: Start) -> None:
    agent = start(engine())
    agent.until_ready()
    agent.control(requests=2)
    until(lambda: "engine_requests 2\n" in agent.get("/metrics").body, "the agent sees them")
    agent.signal()
    until_lame_duck(agent)
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 1.5, "three times the lame duck")
    done = time.monotonic()
    assert agent.control(requests=0) == {}
    assert agent.wait() == 0
    assert time.monotonic() - done >= QUICK["quiet_s"]


def test_requests_that_never_end_hold_it_for_drain_seconds_only(start: Start) -> None:
    agent = start(engine(requests=1), options=["--drain-seconds", "1"])
    agent.until_ready()
    began = time.monotonic()
    agent.signal()
    assert agent.wait() == 0
    assert time.monotonic() - began >= 1.0


def test_an_engine_that_ignores_sigterm_is_killed_after_its_bound(start: Start) -> None:
    agent = start(engine(ignore_term=True), options=["--drain-seconds", "0"])
    agent.until_ready()
    began = time.monotonic()
    agent.signal()
    assert agent.wait() == 0
    assert time.monotonic() - began >= QUICK["terminate_s"]


def test_a_further_sigterm_takes_nothing_from_the_drain(start: Start) -> None:
    agent = start(engine(requests=1), options=["--drain-seconds", "3600"])
    agent.until_ready()
    agent.signal()
    until_lame_duck(agent)
    agent.signal()
    asked = len(agent.control()["asked"])
    until(lambda: len(agent.control()["asked"]) > asked + 10, "looks at the queue of an engine that works on")
    agent.control(requests=0)
    assert agent.wait() == 0


def test_an_engine_that_dies_during_the_drain_has_failed(start: Start) -> None:
    agent = start(engine(requests=1), options=["--drain-seconds", "60"])
    agent.until_ready()
    agent.signal()
    until_lame_duck(agent)
    os.kill(agent.engine_pid(), signal.SIGSEGV)
    assert agent.wait() == 139
    assert agent.report()["failure"] is not None


def test_no_canary_is_sent_during_a_drain(start: Start) -> None:
    agent = start(engine(requests=0), options=["--drain-seconds", "3600"], limits=NEVER)
    agent.until_ready()
    until(lambda: agent.status()["settled"], "a look at chat")
    agent.signal()
    until_lame_duck(agent)
    before = len([r for r in agent.control()["asked"] if "/v1/" in r])
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 4 * QUICK["idle_canary_s"], "time for four canaries")
    assert len([r for r in agent.control()["asked"] if "/v1/" in r]) <= before + 1      # one was on its way already
