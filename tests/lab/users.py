"""Several test runs on one cluster: all use its operator at once, and a test can have it for itself.

The kernel drops a lock with the process that held it, so a run that was killed keeps nobody waiting.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.progress import say


@dataclass(frozen=True)
class Users:
    """One run among those that use the operator."""

    descriptor: int

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other run uses the operator, and keep new ones waiting. At most one run may ask."""
        _take(self.descriptor, fcntl.LOCK_EX, "the other test runs")
        try:
            yield
        finally:
            fcntl.flock(self.descriptor, fcntl.LOCK_SH)


@contextmanager
def using(lock: Path) -> Iterator[Users]:
    """Be one of the users; waits while one of them has the operator for itself."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, fcntl.LOCK_SH, "a test that has the operator for itself")
        yield Users(descriptor)
    finally:
        os.close(descriptor)


def _take(descriptor: int, kind: int, whom: str) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for {whom}")
        fcntl.flock(descriptor, kind)
