"""Turns the name of a quantization into what the engine says of it: dtypes, the least GPU, the files it looks for.

Pure; `make quantization` extracts quantization.json from vLLM's own classes. What a field of the resource becomes of
these names stands in engine.QUANTIZATION.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from deepseekserve.catalog.tables import table


@dataclass(frozen=True)
class Method:
    """One method that `--quantization` takes; methods of one `config` read each other's checkpoints."""

    name: str
    config: str
    dtypes: tuple[str, ...]
    least_capability: int
    files: tuple[str, ...]             # read where config.json has no quantization_config
    online: bool                       # quantizes a plain checkpoint while it loads


# Flag -> what it can be given, but for what plugins add.
VALUES: Mapping[str, tuple[str, ...]] = {flag: tuple(values) for flag, values in table("values").items()}
_TABLE = table("quantization")
ENGINE: str = _TABLE["engine"]         # the version that the table was made from
METHODS: Mapping[str, Method] = {
    row["method"]: Method(
        name=row["method"], config=row["config"], dtypes=tuple(row["dtypes"]),
        least_capability=row["leastCapability"], files=tuple(row["files"]), online=row["online"],
    )
    for row in _TABLE["methods"]
}
