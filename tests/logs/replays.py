"""Turns a recorded log into the folder that the image `replay` plays (images/replay/replay.py)."""

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

Pieces = Iterable[tuple[float, bytes]]


def stage(folder: Path, pieces: Pieces, **plan: object) -> Path:
    """Write the pieces, with the second of each where the recording has them, and how they are to be played."""
    folder.mkdir(parents=True)
    timed = [(0.0, b""), *pieces]
    (folder / "log").write_bytes(b"".join(data for _, data in timed))
    if timed[-1][0]:
        pauses = [f"{then - before:.3f} {len(data)}\n" for (before, _), (then, data) in pairwise(timed)]
        (folder / "log.timing").write_text("".join(pauses))
    (folder / "replay.json").write_text(json.dumps(plan))
    return folder
