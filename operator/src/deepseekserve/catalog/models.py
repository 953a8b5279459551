"""Turns a model's source into the figures of that very model: its config.json, its size, how sure they are.

Pure; models.json holds what was copied and computed, with its origin. A quantized sibling has its base's shape.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deepseekserve.catalog.tables import table

_SNAPSHOT = re.compile(r"models--([^/]+)/snapshots/[^/]+$")


@dataclass(frozen=True)
class CatalogModel:
    """One checkpoint: `id` is its repository of the hub."""

    id: str
    config: Mapping[str, Any]
    confidence: str
    sources: tuple[str, ...]
    base: str | None = None            # the checkpoint that this one is a quantized copy of
    parameters: int | None = None
    weights_bytes: int | None = None   # all weight files together
    bytes_basis: str = ""
    license: str = ""
    parsers: Mapping[str, str] | None = None
    sampling: Mapping[str, float] | None = None

    @property
    def name(self) -> str:
        """The last part of the repository: what a folder of it is called."""
        return self.id.rsplit("/", 1)[-1]


def find_model(source: str) -> CatalogModel | None:
    """Find the model of hf://repository or pvc://claim/folder; a model of another name is another model.

    A repository must be the whole name. Of a folder the last part counts, or that of the hub's own cache.
    """
    scheme, _, path = source.lower().partition("://")
    if scheme == "hf":
        return _BY_ID.get(path.partition("@")[0])
    folder = path.rstrip("/")
    if cached := _SNAPSHOT.search(folder):
        return _BY_ID.get(cached[1].replace("--", "/"))
    if "/" not in folder:                     # a claim's name says nothing of what is in it
        return None
    return _BY_NAME.get(folder.rsplit("/", 1)[-1].replace("___", "."))       # ModelScope cannot write a dot


def siblings(model: CatalogModel) -> tuple[CatalogModel, ...]:
    """List the quantized copies of a model."""
    return tuple(other for other in MODELS if other.base == model.id)


def _read(rows: list[Mapping[str, Any]]) -> tuple[CatalogModel, ...]:
    configs = {row["id"]: row["config"] for row in rows}
    return tuple(
        CatalogModel(
            id=row["id"], base=row.get("base"), config={**configs.get(row.get("base"), {}), **row["config"]},
            confidence=row["confidence"], sources=tuple(row["sources"]), parameters=row.get("parameters"),
            weights_bytes=row.get("bytes"), bytes_basis=row.get("bytesBasis", ""), license=row.get("license", ""),
            parsers=row.get("parsers"), sampling=row.get("sampling"),
        )
        for row in rows
    )


MODELS: tuple[CatalogModel, ...] = _read(table("models")["models"])
_BY_ID: Mapping[str, CatalogModel] = {model.id.lower(): model for model in MODELS}
_BY_NAME: Mapping[str, CatalogModel] = {model.name.lower(): model for model in MODELS}
