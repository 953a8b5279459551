"""Runs in the toolbox: makes broken copies of /models/tiny, each broken as real downloads break."""

import os
import shutil
from pathlib import Path

TINY = Path("/models/tiny")
WEIGHTS = "model.safetensors"
POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 1640192\n"
)


def copy(name: str) -> Path:
    target = TINY.with_name(name)
    if target.exists():
        os.chmod(target / WEIGHTS, 0o644)
        shutil.rmtree(target)
    shutil.copytree(TINY, target)
    return target / WEIGHTS


truncated = copy("truncated")
os.truncate(truncated, truncated.stat().st_size // 2)
os.truncate(copy("empty"), 0)
copy("pointer").write_text(POINTER)
os.chmod(copy("unreadable"), 0)
