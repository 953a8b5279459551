"""`python -m deepseekserve --help` lists every variable that the operator reads, and no other."""

from collections import UserDict

from deepseekserve import settings
from deepseekserve.operate import VARIABLES


class Asked(UserDict[str, str]):
    """An empty environment that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, key: str, default: object = None) -> object:  # type: ignore[override]
        self.names.add(key)
        return default


def test_the_help_lists_what_is_read() -> None:
    environ = Asked()
    settings.read(environ)
    assert set(VARIABLES) == environ.names
    assert all(VARIABLES.values())
