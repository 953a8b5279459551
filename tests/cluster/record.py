"""What is remembered of a cluster between runs: one small JSON file in its state folder, replaced whole."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError

FILE = "cluster.json"


@dataclass(frozen=True)
class Record:
    """The decisions that an earlier `up` took."""

    provider: str
    subnet: str = ""       # of the link; provider local only
    gpus: int = 0
    kwok: bool = False     # nodes made of air were asked for

    def save(self, state: Path) -> None:
        """Write the file; a killed process leaves the old one or the new one."""
        state.mkdir(parents=True, exist_ok=True)
        scratch = state / f".{FILE}"
        with scratch.open("w") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        scratch.rename(state / FILE)


def read(state: Path) -> Record | None:
    """The record of a cluster, None when there is none; raises ClusterError when it is not to be understood."""
    try:
        return Record(**json.loads((state / FILE).read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise ClusterError(f"{state / FILE} is damaged ({error}): `down` removes the cluster") from error
