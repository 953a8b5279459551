"""Turns config.json into whole numbers, or says which field is missing or cannot be.

Pure; what `reading` looks a model's fields up in.
"""

from collections.abc import Mapping
from typing import Any

from deepseekserve.sizing.shape import DamagedConfigError

MOST = 1 << 40                         # what no size of a model reaches: a damaged file must not cost memory

MOST_FACTOR = 10_000


class Fields:
    """The fields of one config.json."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    def number(self, *names: str, default: int | None = None, least: int | None = None) -> int:
        """The first of `names` that is there; raises DamagedConfigError without one and without a default.

        What is there is 1 or more, or `least`, which is 0 where the default is.
        """
        least = int(default != 0) if least is None else least
        for name in names:
            value = self.raw.get(name)
            if value is not None:
                return _whole(name, value, least=least)
        if default is None:
            raise DamagedConfigError(f"config.json has no {' and no '.join(names)}")
        return default

    def optional(self, name: str) -> int | None:
        """A number that may be missing, null or 0."""
        value = self.raw.get(name)
        return None if value in (None, 0) else _whole(name, value, least=1)

    def limit(self, name: str) -> int:
        """A limit in whole tokens, which may be far beyond any size (1e30: no limit); 0 where none is said."""
        value = self.raw.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 1:      # NaN is not, either
            return 0
        return int(min(value, MOST))

    def flag(self, name: str, *, default: bool) -> bool:
        """A switch that may be missing or null."""
        value = self.raw.get(name)
        return default if value is None else bool(value)

    @staticmethod
    def factor(value: object) -> float:
        """What a number is multiplied by; 1 for what cannot be one."""
        return float(value) if isinstance(value, int | float) and 0 < value < MOST_FACTOR else 1

    def part(self, name: str) -> Mapping[str, Any]:
        """A map of fields, empty where there is none."""
        value = self.raw.get(name)
        return value if isinstance(value, Mapping) else {}

    def items(self, name: str) -> list[Any]:
        """A list, empty where there is none."""
        value = self.raw.get(name)
        return list(value) if isinstance(value, list) else []


def _whole(name: str, value: object, *, least: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < MOST:
        raise DamagedConfigError(f"config.json has {name}: {str(value)[:40]!r}, which is no size")
    return value
