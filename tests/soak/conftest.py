"""Options, the order of the scenarios (quick ones first), and the report."""

import random
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.soak.ground import Ground, copied_source
from tests.soak.ground import ground as made_ground
from tests.soak.report import Section, write

# Letters sort the report's sections; minutes on two idle cores.
SCENARIOS = {
    "test_leaders": "A. Two replicas, one leader",                                      # 4
    "test_hands": "B. Children edited and deleted by hand",                             # 1
    "test_kills": "C. The operator killed 50 times",                                    # 5
    "test_disturbances": "D. API server and etcd away, watches cut, errors, resets",    # 8
    "test_node": "E. Node restarted, engines killed 20 times",                          # 20
    "test_quiet": "F. Settled resources are left alone",                                # 26
}
RESULT: pytest.StashKey[str] = pytest.StashKey()
SECTIONS: pytest.StashKey[list[Section]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("soak")
    group.addoption("--soak-seed", type=int, help="of everything random; default: another one each time, printed")
    group.addoption("--soak-quiet-minutes", type=float, default=25.0, help="how long settled resources are watched")
    group.addoption("--soak-kills", type=int, default=50, help="how often the operator is killed")
    group.addoption("--soak-report", type=Path, help="file whose sections are replaced by those of this run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = list(SCENARIOS)
    items.sort(key=lambda item: order.index(item.path.stem) if item.path.stem in order else -1)


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """Of this run; everything random begins with it."""
    given: int | None = pytestconfig.getoption("--soak-seed")
    return random.SystemRandom().randrange(10**6) if given is None else given


@pytest.fixture
def chance(seed: int, section: Section) -> random.Random:
    """The dice of one scenario."""
    section.found("seed", seed)
    return random.Random(seed)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator that all scenarios run."""
    return copied_source(tmp_path_factory.mktemp("operator"))


@pytest.fixture
def ground(tmp_path: Path, source: Path) -> Iterator[Ground]:
    """A control plane of its own for one scenario."""
    with made_ground(tmp_path, source) as made:
        yield made


@pytest.fixture
def section(request: pytest.FixtureRequest) -> Iterator[Section]:
    """The scenario's part of the report."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, flush=True)

    title = SCENARIOS[request.path.stem]
    made = Section(title, say)
    request.config.stash.setdefault(SECTIONS, []).append(made)
    say(f"\n{title}")
    yield made
    made.ended(request.node.stash.get(RESULT, "did not end"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        why = f": {str(call.excinfo.value).splitlines()[0]}" if call.excinfo and str(call.excinfo.value) else ""
        item.stash[RESULT] = f"{report.outcome}{why}"
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    path: Path | None = session.config.getoption("--soak-report", None)
    sections = session.config.stash.get(SECTIONS, [])
    if path and sections:
        write(path, sections)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for section in config.stash.get(SECTIONS, []):
        terminalreporter.write_line(section.text())
