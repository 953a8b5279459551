"""Turns measurements into percentiles, ratios and Markdown tables; pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

BEGIN, END = "<!-- figures: written by make bench -->", "<!-- end of the figures -->"

Figures = dict[str, Any]


class BenchError(Exception):
    """The measurement cannot go on; the message says why."""


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all values do not exceed (nearest rank)."""
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]


def spread(seconds: Sequence[float]) -> Figures:
    """Number, p50, p95, p99 and the longest, in milliseconds."""
    return {"count": len(seconds), **{
        name: milliseconds(percentile(seconds, percent))
        for name, percent in (("p50Ms", 50), ("p95Ms", 95), ("p99Ms", 99), ("longestMs", 100))
    }}


def milliseconds(seconds: float) -> float:
    """Rounded as far as it means something."""
    return round(seconds * 1000, 1)


def ratio(ours: float, theirs: float) -> float | None:
    """How many times as long it takes us; None where theirs is too short to be measured."""
    return round(ours / theirs, 2) if theirs else None


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; all columns but the first are figures."""
    lines = [head, ["---", *("--:" for _ in head[1:])], *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(before: str, results: Mapping[str, Figures]) -> str:
    """The page with the tables of all benchmarks between its markers, and every word around them as it was."""
    text = "\n\n".join(_section(name, result) for name, result in sorted(results.items(), reverse=True))
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise BenchError(f"docs/performance.md lacks the markers {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{text}\n{END}{tail}"


def _section(name: str, result: Figures) -> str:
    return f"## The {name}\n\n*{_about(result['about'])}*\n\n{_TABLES.get(name, _any)(result['figures'])}"


def _about(about: Mapping[str, Any]) -> str:
    quick = ", `--quick`: fewer and smaller than a full run" if about["quick"] else ""
    return (f"{about['date']}, commit {about['commit']}, {about['cores']} cores, {about['memoryGib']} GiB, "
            f"{about['kernel']}, Python {about['python']}, {about['minutes']} minutes{quick}")


def _operator(figures: Figures) -> str:
    return "\n\n".join((
        "### From a new resource to its Deployment", _creation(figures["creation"]),
        "### From a change to the Deployment", _changes(figures),
        "### Requests for each resource", _requests(figures["requests"]),
        "### At rest, and after a restart", _rest(figures),
    ))


def _creation(creation: Mapping[str, Figures]) -> str:
    head = ("resources", "by", "p50 ms", "p95 ms", "p99 ms", "all Deployments s", "all writes s", "CPU s")
    rows = []
    for size, sides in creation.items():
        for side in ("operator", "loop"):
            got = sides[side]
            rows.append((size, side, got["p50Ms"], got["p95Ms"], got["p99Ms"], got["totalS"], got["writtenS"],
                         got["cpuS"]))
        ratios = sides["ratio"]
        rows.append((size, "**ratio**", ratios["p50"], ratios["p95"], ratios["p99"], ratios["total"],
                     ratios["written"], ratios["cpu"]))
    return table(head, rows)


def _changes(figures: Figures) -> str:
    rows = [
        (f"{what}, {size}", got["p50Ms"], got["p95Ms"], got["p99Ms"], got["totalS"])
        for what, key in (("an edit that rolls", "edit"), ("a Deployment deleted by hand", "deletion"))
        for size, got in figures[key].items()
    ]
    return table(("change, resources", "p50 ms", "p95 ms", "p99 ms", "total s"), rows)


def _requests(requests: Mapping[str, Mapping[str, float]]) -> str:
    asked = sorted({name for counts in requests.values() for name in counts})
    rows = ((name, *(counts.get(name, 0) for counts in requests.values())) for name in asked)
    return table(("request", *requests), rows)


def _rest(figures: Figures) -> str:
    idle, restart, memory = figures["idle"], figures["restart"], figures["memory"]
    by_verb = ", ".join(f"{verb} {count}" for verb, count in restart["requests"].items())
    rows = [
        (f"resources that rest for {idle['seconds']} s", idle["resources"]),
        ("writes meanwhile", idle["writes"]),
        ("renewals of the Lease meanwhile", idle["renewals"]),
        ("CPU seconds meanwhile", idle["cpuS"]),
        (f"restart with {restart['resources']} unchanged resources: requests", by_verb),
        ("restart: requests that change something", restart["writes"]),
        ("restart: all have been looked at after", f"{restart['lookedAtS']} s"),
        ("restart: CPU seconds until then", restart["cpuS"]),
        ("restart: a new resource has its Deployment after", f"{restart['newS']} s"),
        ("memory (RSS): peak while all are made, edited and deleted", f"{memory['peakMib']} MiB"),
        ("memory: at rest", f"{memory['steadyMib']} MiB"),
        ("memory: peak of the restart", f"{memory['restartPeakMib']} MiB"),
        ("memory: without a resource", f"{memory['emptyMib']} MiB"),
    ]
    return table(("figure", "value"), rows)


def _any(figures: Figures) -> str:
    """Tables of figures whose meaning is not known here: one for each group of rows with names."""
    parts, alone = [], []
    for name, value in figures.items():
        rows = dict(_rows(value))
        if rows:
            head = list(dict.fromkeys(key for row in rows.values() for key in row))
            parts += [f"### {name.capitalize()}",
                      table(("", *head), ((row, *(got.get(key, "") for key in head)) for row, got in rows.items()))]
        elif not isinstance(value, (Mapping, list)):
            alone.append((name, value))
    return "\n\n".join([*([table(("figure", "value"), alone)] if alone else []), *parts])


def _rows(value: object, name: str = "") -> Iterable[tuple[str, Mapping[str, object]]]:
    if not isinstance(value, Mapping):
        return
    plain = {key: v for key, v in value.items() if not isinstance(v, (Mapping, list))}
    if plain:
        yield name, plain
    for key, inner in value.items():
        yield from _rows(inner, f"{name}, {key}" if name else str(key))


def _cell(value: object) -> str:
    if value is None:
        return "not measurable"
    return f"{value:,}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


_TABLES = {"operator": _operator}
