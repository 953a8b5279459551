"""Processes at their worst: storms of signals, a killed agent, daemons that die in thousands, a fork bomb."""

import itertools
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.agent.conftest import Start
from tests.agent.harness import QUICK, Agent, alive, engine, until
from tests.ports import is_free

STOPS = (signal.SIGTERM, signal.SIGINT)
OTHERS = (signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2)


@contextmanager
def storm(agent: Agent, numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    """Send these signals in turn, thousands in a second, until the block has ended."""
    over = threading.Event()

    def blow() -> None:
        for number in itertools.cycle(numbers):
            if over.wait(0.0002):
                return
            agent.signal(number)

    thread = threading.Thread(target=blow)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_storm_while_the_engine_starts_is_one_stop(start: Start) -> None:
    agent = start(engine(hang=True, ignore_term=True, orphans=1, children=1))
    until(lambda: len(agent.tree()) == 3, "the engine and its children")
    below = agent.tree()
    with storm(agent, STOPS + OTHERS):
        assert agent.wait() == 0
    assert [pid for pid in below if alive(pid)] == []
    assert agent.report()["exitCode"] == 0


def test_a_storm_while_the_engine_serves_takes_no_running_request(start: Start) -> None:
    agent = start(engine(requests=1), options=["--drain-seconds", "3600"])
    agent.until_ready()
    with storm(agent, STOPS + OTHERS):
        until(lambda: agent.answers("/ready", 503), "unready")
        asked = len(agent.control()["asked"])
        until(lambda: len(agent.control()["asked"]) > asked + 30, "many looks at the queue of an engine that works on")
        agent.control(requests=0)
        assert agent.wait() == 0
    assert agent.report()["failure"] is None


def test_a_storm_while_the_engine_ends_leaves_it_the_time_that_it_has(start: Start) -> None:
    agent = start(engine(ignore_term=True), options=["--drain-seconds", "0"], limits={**QUICK, "terminate_s": 3600})
    agent.until_ready()
    pid = agent.engine_pid()
    with storm(agent, STOPS + OTHERS):
        until(lambda: "terminating" in agent.get("/ready").body, "the engine is asked to end")
        asked = len(agent.control()["asked"])
        until(lambda: len(agent.control()["asked"]) > asked + 10, "looks at an engine that is still at work")
        os.kill(pid, signal.SIGKILL)
        assert agent.wait() == 0


def test_signals_that_ask_for_nothing_change_nothing(start: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    agent = start(["sh", "-c", f"read line < {gate}; exit 3"])
    until(lambda: agent.answers("/live"), "pages")
    with storm(agent, OTHERS):
        gate.open("w").close()
        assert agent.wait() == 3
    assert agent.report()["exitCode"] == 3


def test_a_killed_agent_takes_the_engine_and_its_workers_with_it(start: Start) -> None:
    agent = start(engine(children=2))
    agent.until_ready()
    below = agent.tree()
    assert len(below) == 3
    agent.signal(signal.SIGKILL)
    agent.wait()
    until(lambda: [pid for pid in below if alive(pid)] == [], "nothing of the engine's group lives")
    until(lambda: is_free(agent.port) and is_free(agent.engine_port), "both ports are free")


def test_a_thousand_daemons_that_die_are_reaped(start: Start) -> None:
    program = ("import os, sys, time\n"
               "for _ in range(1000):\n"
               "    if os.fork() == 0:\n"
               "        if os.fork() == 0: os.setsid()\n"
               "        os._exit(0)\n"
               "    os.wait()\n"
               "os.write(1, b'done')\n"
               "time.sleep(600)\n")
    agent = start([sys.executable, "-S", "-c", program])
    until(lambda: agent.out.read_text() == "done", "all have been started", 60)
    until(lambda: len(agent.tree()) == 1, "no zombie is left")
    assert agent.answers("/live")


# Every child ends by itself after a while and never goes back to the loop: should the agent fail, 500 stay 500.
BOMB = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in range(500):
    if os.fork() == 0:
        if number % 2: os.setsid()
        time.sleep(60)
        os._exit(0)
os.write(1, b'done')
time.sleep(60)
"""


def test_a_fork_bomb_of_500_ends_with_one_stop(start: Start) -> None:
    agent = start([sys.executable, "-S", "-c", BOMB])
    until(lambda: agent.out.read_text() == "done", "all have been started", 60)
    below = agent.tree()
    assert len(below) == 501
    agent.signal()
    assert agent.wait() == 0
    assert [pid for pid in below if alive(pid)] == []
