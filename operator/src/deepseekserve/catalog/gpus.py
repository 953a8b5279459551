"""Turns the label of a GPU into its memory as CUDA reports it and its compute capability.

Pure; gpus.json holds what labels and logs have shown, smallest first. `cudaBasis` says where a figure comes from.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deepseekserve.catalog.tables import table

MIB = 1 << 20
BFLOAT16_CAPABILITY = 80           # vllm/platforms/cuda.py, supported_dtypes
_BRAND = re.compile("nvidia|tesla|geforce")


@dataclass(frozen=True)
class Gpu:
    """One product; `product` is the value of the label nvidia.com/gpu.product."""

    product: str
    memory_bytes: int                  # what a process gets of it: less than the label and the name say
    capability: int | None = None      # compute capability times ten; None: not known
    label_mib: int | None = None       # nvidia.com/gpu.memory
    aliases: tuple[str, ...] = ()

    @property
    def capability_text(self) -> str:
        """The capability as NVIDIA writes it."""
        return "unknown" if self.capability is None else capability_text(self.capability)

    @property
    def has_bfloat16(self) -> bool:
        """Ampere and later have it."""
        return self.capability is None or self.capability >= BFLOAT16_CAPABILITY


def capability_text(capability: int) -> str:
    """75 as 7.5."""
    return f"{capability // 10}.{capability % 10}"


def find_gpu(name: str) -> Gpu | None:
    """Find a product by its label or an alias, in any case, with blanks or dashes, shared by time slicing or not.

    A slice of a GPU (-MIG-...) is another thing, and is not found.
    """
    return _BY_NAME.get(_key(re.sub("-SHARED$", "", name.strip(), flags=re.IGNORECASE)))


def gpus_like(name: str) -> tuple[Gpu, ...]:
    """Products of which a name that is not found may mean one: those whose names it is the beginning of."""
    beginning = _key(name)
    return tuple(gpu for gpu in GPUS if beginning and _key(gpu.product).startswith(beginning))


def _key(name: str) -> str:
    return _BRAND.sub("", re.sub("[^a-z0-9]", "", name.lower()))


def _gpu(row: Mapping[str, Any]) -> Gpu:
    return Gpu(
        product=row["product"], memory_bytes=row["cudaMib"] * MIB, capability=int(row["capability"].replace(".", "")),
        label_mib=row["memoryMib"], aliases=tuple(row["aliases"]),
    )


GPUS: tuple[Gpu, ...] = tuple(_gpu(row) for row in table("gpus")["gpus"])
_BY_NAME: Mapping[str, Gpu] = {_key(name): gpu for gpu in GPUS for name in (gpu.product, *gpu.aliases)}
