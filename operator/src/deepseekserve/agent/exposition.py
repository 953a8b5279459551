"""Turns numbers into the text that Prometheus reads; the agent's /metrics page.

Pure; `pages` gathers the values. Names begin with `deepseekserve_agent_`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PREFIX = "deepseekserve_agent_"
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Family:
    """One metric: its name without prefix, its kind (gauge or counter), its help, and its values by label."""

    name: str
    kind: str
    help: str
    label: str
    values: Mapping[str, float]


def gauge(name: str, value: float, text: str) -> Family:
    """A gauge without labels."""
    return Family(name, "gauge", text, "", {"": value})


def counter(name: str, value: float, text: str) -> Family:
    """A counter without labels."""
    return Family(name, "counter", text, "", {"": value})


def exposition(families: Iterable[Family]) -> str:
    """Write the families in the text format, in the order given."""
    return "".join(line + "\n" for family in families for line in _lines(family))


def _lines(family: Family) -> Iterable[str]:
    name = PREFIX + family.name
    yield f"# HELP {name} {family.help}"
    yield f"# TYPE {name} {family.kind}"
    for value_of, value in family.values.items():
        label = f'{{{family.label}="{value_of}"}}' if family.label else ""
        yield f"{name}{label} {value:.10g}"
