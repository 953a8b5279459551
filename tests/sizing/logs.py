"""Turns a log of a start that succeeded into what the engine said of its memory, and into the setup that it had.

The logs from GPU machines lie beside the checkout, where there are any; those of the CPU engine in tests/logs.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deepseekserve import catalog, sizing
from deepseekserve.sizing import working
from deepseekserve.sizing.sizes import Plan
from tests.logs import recorder

GIB = 1 << 30
SHAPES: Mapping[str, Mapping[str, Any]] = json.loads(Path(__file__).with_name("models.json").read_text())["models"]
TINY = {                               # of the CPU logs; images/engine-cpu/make_tiny_model.py makes one like it
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 128, "intermediate_size": 352,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 2048,
    "max_position_embeddings": 32768, "torch_dtype": "bfloat16", "tie_word_embeddings": True,
}
# Logs that do not state the card's memory, but whose repository names the card.
CARDS = {"042": "H200", "045": "H100", "047": "RTX-A5000", "053": "A100-80GB", "061": "H100", "063": "RTX 4090"}
LARGER_SHARE_SINCE = 20                # 0.92 instead of 0.9, where the log does not say
CHUNKED_SINCE = 8                      # before, a whole prompt was one batch, however long

_WEIGHTS = re.compile(r"(?:Model loading took|Loading model weights took) ([\d.]+)")
_CACHE = re.compile(r"(?:Available KV cache memory: |reserved for KV Cache is |kv_cache_size=)([\d.]+) ?GiB")
_TOKENS = re.compile(r"KV cache size: ([\d,]+) tokens")
_BLOCKS = re.compile(r"# (?:GPU|cuda|CUDA) blocks: (\d+)")
_BATCH = re.compile(r"max_num_batched_tokens=(\d+)")
_TOTAL = re.compile(r"total_gpu_memory(?: \(|=)([\d.]+) ?GiB")
_FIXED = re.compile(r"'kv_cache_memory_bytes': (\d+)|--kv-cache-memory-bytes (\d+)M")
_GRAPHS = re.compile(r"CUDA graph memory: ([\d.]+) GiB total|Graph capturing finished in \d+ secs, took ([\d.]+) GiB")


@dataclass(frozen=True)
class Report:
    """One start: what it was, and what it said; figures in GiB as the engine rounds them."""

    name: str
    model: str
    version: str
    plan: Plan
    context: int
    weights: float | None
    cache: float | None
    tokens: int | None
    total: float | None
    percent: int
    graphs: float | None
    stated: bool                       # the log itself states the card's memory
    config: Mapping[str, Any] = field(hash=False)      # the model's config.json
    card: catalog.Gpu | None = None    # where the log or its repository names one of the catalogue

    @property
    def counts_graphs(self) -> bool:
        """Whether this release takes its graphs out of the share."""
        return self.plan.setup.version >= working.ALL_COUNTED_SINCE

    @property
    def sorts_logits(self) -> bool:
        """Whether this release's sampler sorts."""
        return self.plan.setup.version < working.SORTED_BEFORE

    @property
    def used(self) -> float | None:
        """What weights and all but the cache took of the share."""
        cache = self.cache or (self.tokens or 0) * sizing.token_bytes(self.plan.shape, self.plan.setup) / GIB
        return self.total * self.percent / 100 - cache if self.total and cache else None


def reports() -> Iterator[Report]:
    """Every success whose model has a shape here, in the order of the indexes."""
    for log in recorder.GPU_SUCCESSES:
        if found := _gpu(log):
            yield found
    for log in recorder.CPU_SUCCESSES:
        text = log.engine_bytes.decode(errors="replace")
        if _TOKENS.search(text):
            yield _cpu(log, text)


def unsized() -> list[str]:
    """Names and models of the logs that `reports` leaves out."""
    models = {str(log): log.field("model") for log in recorder.GPU_SUCCESSES}
    return [f"{log} {_name(model)}" for log, model in models.items() if _config(model) is None]


def _config(model: str) -> Mapping[str, Any] | None:
    name = _name(model)
    if name in SHAPES:
        return SHAPES[name]
    known = catalog.find_model(f"pvc://logs/{name}")
    return known.config if known else None


def _gpu(log: recorder.Log) -> Report | None:
    config, text = _config(log.field("model")), log.engine_bytes.decode(errors="replace")
    if config is None:
        return None
    dtype, _, quantization = log.field("dtype/quantization").partition("/")
    context, version = int(log.field("max_model_len")), log.field("vllm_version")
    batch, total, blocks = _number(_BATCH, text), _number(_TOTAL, text), _number(_BLOCKS, text)
    is_old = _minor(version) < CHUNKED_SINCE or "V0 LLM engine" in text
    setup = sizing.Setup(
        dtype=dtype, cache_bytes=1 if "kv_cache_dtype=fp8" in text else 2, tensor=int(log.field("tp")),
        sequences=int(log.field("max_num_seqs") or (1024 if str(log) == "042" else 256)),
        batched_tokens=int(batch or (max(context, 2048) if is_old else 2048)),
        graphs="enforce_eager=True" not in text, head="Found pooling configuration" not in text,
        version=tuple(int(part) for part in re.findall(r"\d+", version)[:3]),
    )
    asked = float(log.field("gpu_memory_utilization") or (0.92 if _minor(version) >= LARGER_SHARE_SINCE else 0.9))
    card = catalog.find_gpu(CARDS.get(str(log), ""))
    tokens = _number(_TOKENS, text)
    return Report(
        name=str(log), model=_name(log.field("model")), version=version,
        plan=Plan(sizing.read_shape(config), sizing.read_format(config, quantization), setup),
        context=context, weights=_number(_WEIGHTS, text), cache=_number(_CACHE, text),
        tokens=int(tokens) if tokens else 16 * int(blocks) if blocks else None,
        total=total or (float(log.field("gpu_mem_gib") or 0) or (card.memory_bytes / GIB if card else None)),
        percent=round(asked * 100), graphs=_number(_GRAPHS, text), stated=total is not None, config=config,
        card=card or catalog.find_gpu(log.field("gpu").split("(")[0].strip("? ")),
    )


def _cpu(log: recorder.Log, text: str) -> Report:
    fixed, tokens = _FIXED.search(text), _number(_TOKENS, text)
    context = _number(re.compile(r"Maximum concurrency for ([\d,]+) tokens"), text)
    setup = sizing.Setup(block_tokens=sizing.CPU_BLOCK_TOKENS, graphs=False, on_gpu=False)
    return Report(
        name=str(log), model="tiny-qwen2", version="0.32.0", plan=Plan(sizing.read_shape(TINY), None, setup),
        context=int(context or 0), weights=None, cache=(int(fixed[1]) if fixed else GIB) / GIB,
        tokens=int(tokens or 0), total=None, percent=100, graphs=None, stated=False, config=TINY,
    )


def _name(model: str) -> str:
    return model.rstrip("/").rsplit("/", 1)[-1]


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def _number(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    return float(next(group for group in found.groups() if group).replace(",", "")) if found else None
