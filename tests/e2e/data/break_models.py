"""Runs in the toolbox: makes broken copies of /models/tiny, each broken as real downloads break."""

import json
import os
import shutil
from pathlib import Path

TINY = Path("/models/tiny")
WEIGHTS = "model.safetensors"
POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 1640192\n"
)

OWN_CODE = """
from transformers import Qwen2Config

class OwnConfig(Qwen2Config):
    model_type = "own"
"""


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

config = json.loads((TINY / "config.json").read_text())
own = copy("own-code").parent
(own / "configuration_own.py").write_text(OWN_CODE)
own_config = {**config, "model_type": "own", "auto_map": {"AutoConfig": "configuration_own.OwnConfig"}}
(own / "config.json").write_text(json.dumps(own_config))
unknown = {**config, "architectures": ["TomorrowForCausalLM"]}
copy("tomorrow").with_name("config.json").write_text(json.dumps(unknown))
copy("wordless").with_name("tokenizer.json").write_text('{"version": "1.0", "model": {')
os.truncate(copy("half").with_name("config.json"), 200)
