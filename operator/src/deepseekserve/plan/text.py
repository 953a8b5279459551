"""Turns a plan of `report` into a page for a terminal: the verdict, the terms as table and bar, what to do, arguments.

Pure.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

GIB = 1 << 30
BAR_CHARACTERS = 60
_WORDS = {"True": "fits", "False": "REFUSED", "Unknown": "unknown"}
_TERMS = (("weights", "weightsBytes", "#"), ("activations", "activationsBytes", "+"), ("graphs", "graphsBytes", "+"),
          ("other", "otherBytes", "+"), ("KV cache", "kvCacheBytesPerRequest", "="))


def page(plan: Mapping[str, Any], admission: str = "Enforce") -> str:
    """One plan."""
    return "\n".join(_lines(plan, admission)) + "\n"


def _lines(plan: Mapping[str, Any], admission: str) -> Iterator[str]:
    head = f"{plan['file']}: {plan['name']}".rstrip(": ")
    if "error" in plan:
        yield f"{head}: BAD INPUT"
        yield f"  {plan['error']}"
        return
    started = ", and started all the same" if (plan["fits"], admission) == ("False", "Warn") else ""
    yield f"{head}: {_WORDS[plan['fits']]}{started}"
    yield f"  {plan['message']}"
    yield from _sizing(plan["sizing"])
    yield from _to_do(plan["remedies"])
    for title, key in (("warning", "warnings"), ("not known", "missing")):
        for item in plan[key] if plan[key] != [plan["message"]] else ():
            yield f"  {title + ':':12}{item}"
    yield f"  {'model:':12}{plan['model']['source']}; config.json from {plan['model'].get('config', 'nowhere')}"
    if gpu := plan["gpu"]:
        yield f"  {'GPU:':12}{gpu['product']}, {_gib(gpu['memoryBytes'])} GiB as CUDA reports it"
    yield f"  {'arguments:':12}{shlex.join(plan['arguments'])}"


def _to_do(remedies: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Alternatives, each with the edits that belong together."""
    for number, remedy in enumerate(remedies):
        for place, fix in enumerate(remedy["fixes"]):
            title = "  and:" if place else "or:" if number else "to do:"
            yield f"  {title:12}{fix['field']}: {fix['value']}   ({fix['why']})"


def _sizing(sizing: Mapping[str, Any]) -> Iterator[str]:
    if not sizing:
        return
    whole = max(sizing["neededBytes"], sizing.get("budgetBytes", 0))
    bar = ""
    yield ""
    for title, key, mark in _TERMS:
        length = round(sizing[key] / whole * BAR_CHARACTERS)
        at = f"  {sizing['maxModelLen']:,} tokens" if mark == "=" else ""
        yield f"  {title:12}{_gib(sizing[key]):>8} GiB{at}"
        bar += mark * length
    yield f"  {'needed':12}{_gib(sizing['neededBytes']):>8} GiB{_each(sizing)}"
    if "budgetBytes" in sizing:
        yield f"  {'there are':12}{_gib(sizing['budgetBytes']):>8} GiB"
        edge = round(sizing["budgetBytes"] / whole * BAR_CHARACTERS)
        yield f"  [{bar[:edge].ljust(edge, '.')}]{bar[edge:]}"
    if "kvCacheTokens" in sizing:
        yield f"  {'KV tokens':12}{sizing['kvCacheTokens']:>8,}"
    yield ""


def _each(sizing: Mapping[str, Any]) -> str:
    count = sizing["tensorParallelSize"] * sizing["pipelineParallelSize"]
    return f" on each of {count} devices" if count > 1 else ""


def _gib(number: int) -> str:
    return f"{number / GIB:.2f}"
