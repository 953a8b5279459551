"""Processes are known by what their environment says, so no file can point at the wrong one."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.health import wait_for
from tests.cluster.processes import Processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SLEEP = ["sleep", "1000"]
DEAF = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    (tmp_path / "log").mkdir()
    made = Processes(tmp_path)
    yield made
    for left in made.all():
        os.kill(left.pid, signal.SIGKILL)
    wait_for(lambda: not made.all(), "the test's processes end", 10)


def test_a_component_is_started_once(processes: Processes) -> None:
    assert processes.ensure("one", SLEEP)
    assert not processes.ensure("one", SLEEP)
    assert [p.component for p in processes.all()] == ["one"]


def test_another_run_finds_what_an_earlier_one_started(processes: Processes) -> None:
    processes.ensure("one", SLEEP)
    assert not Processes(processes.state).ensure("one", SLEEP)


def test_another_command_replaces_the_process(processes: Processes) -> None:
    processes.ensure("one", SLEEP)
    before = processes.main("one")
    assert processes.ensure("one", ["sleep", "2000"])
    assert processes.main("one") != before
    assert len(processes.all()) == 1


def test_a_changed_configuration_file_replaces_the_process(processes: Processes, tmp_path: Path) -> None:
    file = tmp_path / "configuration"
    file.write_text("old")
    assert processes.ensure("one", SLEEP, made_of=[file])
    assert not processes.ensure("one", SLEEP, made_of=[file])
    file.write_text("new")
    assert processes.ensure("one", SLEEP, made_of=[file])


def test_a_crashed_process_is_started_again(processes: Processes) -> None:
    processes.ensure("one", SLEEP)
    crashed = processes.main("one")
    assert crashed
    os.kill(crashed.pid, signal.SIGKILL)
    wait_for(lambda: processes.main("one") is None, "it is gone", 10)
    assert processes.ensure("one", SLEEP)


def test_children_are_found_but_are_not_the_component(processes: Processes) -> None:
    processes.ensure("one", ["sh", "-c", "sleep 1000 & wait"])
    wait_for(lambda: len(processes.all()) == 2, "the child appears", 10)
    main = processes.main("one")
    assert main
    assert [p.is_main for p in processes.all() if p.pid != main.pid] == [False]


def test_orphans_are_still_found(processes: Processes) -> None:
    processes.ensure("one", ["sh", "-c", "sleep 1000 & wait"])
    wait_for(lambda: len(processes.all()) == 2, "the child appears", 10)
    processes.end(["one"])
    assert [p.is_main for p in processes.all()] == [False]


def test_one_that_does_not_listen_is_killed(processes: Processes) -> None:
    processes.ensure("one", DEAF)
    processes.end(["one"], patience_s=0.2)
    assert processes.main("one") is None


def test_clusters_do_not_see_each_other(processes: Processes, tmp_path: Path) -> None:
    processes.ensure("one", SLEEP)
    assert Processes(tmp_path / "another").all() == []


def test_output_goes_to_the_components_log(processes: Processes) -> None:
    processes.ensure("one", ["sh", "-c", "echo said; exec sleep 1000"])
    wait_for(lambda: processes.log("one").read_text() == "said\n", "the line is in the log", 10)
