"""Turns the log's lines into what the engine says of itself: version, context, KV cache, and what it changed unasked.

Fed by `diagnosis.LogReader`; `Facts.report()` becomes `status.engine`, and remedies are computed from the same numbers.
"""

import re
from dataclasses import dataclass, field

from deepseekserve.agent.logtext import Record

GIB = 1 << 30
_BLOCK_TOKENS = 16          # the default of engines that report blocks instead of tokens
_NOTES_LIMIT = 8
_DEFAULT_UTILIZATION_PERCENT = 92

_VERSION = re.compile(r"(?:vLLM API server version|█ +version|LLM engine \(v) ?(\d[\w.+-]*)")
# The look back stands behind each word's first letter: in front of them it would be tried at each character.
_CONFIG = re.compile(
    r"(m(?<![\w']m)ax_seq_len|d(?<![\w']d)type|q(?<![\w']q)uantization|e(?<![\w']e)nforce_eager"
    r"|d(?<![\w']d)evice_config)=(?:torch\.)?'?([\w.-]+)'?")
_ASKED = re.compile(
    r"'(quantization|max_model_len|tensor_parallel_size|pipeline_parallel_size|gpu_memory_utilization|max_num_seqs"
    r"|kv_cache_memory_bytes|dtype|kv_cache_dtype|model|model_tag|port)': (?:'([^']{1,300})'|([-\d.]+))"
)
_KV_TOKENS = re.compile(r"KV cache size: ([\d,]+) tokens")
_CONCURRENCY = re.compile(r"Maximum concurrency for ([\d,]+) tokens per request: ([\d.]+)x")
_BLOCKS = re.compile(r"# (?:GPU|cuda) blocks: (\d+)")
_WEIGHTS = re.compile(r"(?:Model loading took|Loading model weights took) ([\d.]+) ?Gi?B")
_CHECKPOINT = re.compile(r"Checkpoint size: ([\d.]+) GiB")
_AUTO_FIT = re.compile(r"Auto-fit max_model_len: reduced from (\d+) to (\d+)")
_CAST = re.compile(r"Casting torch\.(\w+) to torch\.(\w+)")
_CPU_SOURCE = re.compile(r"(?:^|/)cpu(?:_\w+)?\.py:")
_KV_FREE = re.compile(r"Available KV cache memory: ([-\d.]+) GiB")

_FP8_CACHE = "The KV cache is stored as fp8, which nobody asked for and which may cost accuracy."

# What the engine did although nobody asked, or what costs the user something: words in the log, sentence for the user.
_NOTES: tuple[tuple[str, str], ...] = (
    ("No chat template provided", "The model has no chat template: chat requests are refused, completions work."),
    ("quantization is not fully optimized yet", "This quantization has no fast kernel and may be slower than none."),
    ("explicitly, so forcing", "A faster kernel exists for this checkpoint, but the quantization asked for bars it: "
                               "spec.engine.quantization Auto takes it."),
    ("Using default MoE config", "No tuned kernels exist for the experts on this GPU: they run slower."),
    ("Falling back to V0", "This engine fell back to its older V0 core."),
    ("Custom allreduce is disabled", "The GPUs have no fast direct link: tensor parallelism is slower."),
    ("does not have native support for FP8", "This GPU has no native FP8: FP8 weights save memory here, but no time."),
)

# Where none of these stands in a line, `Facts` finds nothing in it.
WORDS = (
    "API server version", "█ ", "LLM engine", "non-default args", "args: Namespace", "cpu.py:", "cpu_",
    "No platform detected", "UnspecifiedPlatform", "max model len", "KV cache", "Maximum concurrency", "blocks: ",
    "Model loading took", "Loading model weights took", "Checkpoint size", "Auto-fit max_model_len", "Casting torch",
    "Using fp8 data type", *(words for words, _ in _NOTES),
)


@dataclass
class Facts:
    """What has been read so far; `known` holds only keys that the log has stated."""

    known: dict[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)     # the engine's own echo of its arguments
    eager: bool = False
    cpu: bool = False
    no_platform: bool = False
    free_kv_gib: float | None = None
    checkpoint_bytes: int = 0

    @property
    def utilization_percent(self) -> int:
        """Share of the GPU's memory that the engine may use: as asked, else vLLM's default."""
        try:
            return round(float(self.asked.get("gpu_memory_utilization", "")) * 100)
        except ValueError:
            return _DEFAULT_UTILIZATION_PERCENT

    @property
    def devices(self) -> int:
        """Number of devices over which the weights are split: as asked, else 1."""
        asked = self.asked.get("tensor_parallel_size", "")
        return int(asked) if asked.isdigit() and int(asked) > 0 else 1

    def report(self) -> dict[str, object]:
        """Return the `engine` part of the report: only what is known, notes last."""
        return self.known | ({"notes": list(self.notes)} if self.notes else {})

    def see(self, record: Record) -> None:
        """Take one line into account."""
        text = record.text
        if "version" in text or "engine (v" in text:
            self._version(text)
        if "LLM engine" in text and "config:" in text:
            self._config(text)
        elif "non-default args" in text or "args: Namespace" in text:
            self._arguments(text)
        if "cpu" in record.source and _CPU_SOURCE.search(record.source):
            self.cpu = True
        if "No platform detected" in text or "UnspecifiedPlatform" in text:
            self.no_platform = True
        self._numbers(text)
        self._note(text)

    def _version(self, text: str) -> None:
        if found := _VERSION.search(text):
            self.known["version"] = found[1]

    def _config(self, text: str) -> None:
        for key, value in _CONFIG.findall(text):
            if key == "max_seq_len" and value.isdigit():
                self.known["maxModelLen"] = int(value)
            elif key == "dtype":
                self.known["dtype"] = value
            elif key == "quantization":
                self.known["quantization"] = None if value == "None" else value
            elif key == "enforce_eager":
                self.eager = value == "True"
            elif key == "device_config":
                self.cpu = value == "cpu"

    def _arguments(self, text: str) -> None:
        for key, word, number in _ASKED.findall(text):
            self.asked[key] = word or number
        self.eager = "'enforce_eager': True" in text or "enforce_eager=True" in text

    def _numbers(self, text: str) -> None:
        if "max model len" in text and (found := re.search(r"Using max model len (\d+)", text)):
            self.known.setdefault("maxModelLen", int(found[1]))
        if "KV cache" in text:
            if found := _KV_TOKENS.search(text):
                self.known.setdefault("kvCacheTokens", _integer(found[1]))
            if found := _KV_FREE.search(text):
                self.free_kv_gib = float(found[1])
        if "Maximum concurrency" in text and (found := _CONCURRENCY.search(text)):
            self.known["maxModelLen"] = _integer(found[1])
            self.known.setdefault("maxConcurrency", found[2])
        if "blocks:" in text and (found := _BLOCKS.search(text)):
            self.known.setdefault("kvCacheTokens", int(found[1]) * _BLOCK_TOKENS)
        if " took " in text and (found := _WEIGHTS.search(text)) and float(found[1]) > 0:
            self.known.setdefault("weightsBytes", int(float(found[1]) * GIB))
        if "Checkpoint size" in text and (found := _CHECKPOINT.search(text)):
            self.checkpoint_bytes = int(float(found[1]) * GIB)

    def _note(self, text: str) -> None:
        if "Auto-fit" in text and (found := _AUTO_FIT.search(text)):
            self.known["maxModelLen"] = int(found[2])
            self._add(f"The context was reduced from {found[1]} to {found[2]} tokens: the KV cache holds no more.")
        if "Casting" in text and (found := _CAST.search(text)):
            self._add(f"The dtype was changed from {found[1]} to {found[2]}.")
        if "Using fp8 data type to store kv cache" in text and "fp8" not in self.asked.get("kv_cache_dtype", ""):
            self._add(_FP8_CACHE)
        for words, sentence in _NOTES:
            if words in text:
                self._add(sentence)

    def _add(self, note: str) -> None:
        if note not in self.notes and len(self.notes) < _NOTES_LIMIT:
            self.notes.append(note)


def is_costly(note: str) -> bool:
    """Tell whether a note says that the user gets less than was asked for."""
    return note == _FP8_CACHE


def _integer(text: str) -> int:
    return int(text.replace(",", "") or 0)
