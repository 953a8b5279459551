"""Turns the name of one of this package's tables into its rows."""

import json
from importlib.resources import files
from typing import Any


def table(name: str) -> dict[str, Any]:
    """Read NAME.json; a broken one is a broken installation, so nothing is caught."""
    found: dict[str, Any] = json.loads(files("deepseekserve.catalog").joinpath(f"{name}.json").read_text("utf-8"))
    return found
