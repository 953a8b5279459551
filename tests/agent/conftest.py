"""What the tests of the agent share: a way to start one that is always cleaned up."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.agent.harness import Agent

Start = Callable[..., Agent]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an agent around a command; whatever it left behind is killed at the end."""
    numbers = itertools.count(1)
    with ExitStack() as stack:

        def begin(command: list[str], **options: object) -> Agent:
            folder = tmp_path / f"agent-{next(numbers)}"
            folder.mkdir()
            return stack.enter_context(Agent(command, folder, **options))  # type: ignore[arg-type]

        yield begin
