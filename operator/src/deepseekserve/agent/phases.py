"""Turns the log's lines into where a start stands: its phase, which never goes back, and a percentage that never falls.

Fed by `diagnosis.LogReader`. `MARKS` is the whole knowledge: which words of the engine begin which phase.
"""

import re
from dataclasses import dataclass, field

from deepseekserve.agent.interest import any_of
from deepseekserve.agent.logtext import QUIET, Record
from deepseekserve.agent.reasons import ENGINE_PHASES, Phase

RANK = {phase: rank for rank, phase in enumerate(ENGINE_PHASES)}

# Of the bar from 0 to 100, the part that belongs to each phase.
SPANS: dict[Phase, tuple[int, int]] = {
    Phase.STARTING: (0, 15),
    Phase.DOWNLOADING: (15, 35),
    Phase.LOADING_WEIGHTS: (35, 60),
    Phase.COMPILING: (60, 75),
    Phase.PROFILING_MEMORY: (75, 85),
    Phase.CAPTURING_GRAPHS: (85, 95),
    Phase.SERVING: (100, 100),
}


@dataclass(frozen=True)
class Mark:
    """Words that show that `phase` has been reached, and how much of its span lies behind (0 to 1)."""

    words: str
    phase: Phase
    done: float = 0.0


# With a model on disk these begin LoadingWeights; with one of the hub a download may come between.
BEFORE_LOADING = ("Starting to load model ", "Loading model from scratch", "Using model weights format")

MARKS: tuple[Mark, ...] = (
    Mark("vLLM API server version", Phase.STARTING, 0.2),
    Mark("non-default args:", Phase.STARTING, 0.25),
    Mark("Resolved architecture", Phase.STARTING, 0.4),
    Mark("Using max model len", Phase.STARTING, 0.45),
    Mark("LLM engine (v", Phase.STARTING, 0.7),
    Mark("in world size", Phase.STARTING, 0.9),
    *(Mark(words, Phase.STARTING, 1.0) for words in BEFORE_LOADING),
    Mark("Time spent downloading weights", Phase.DOWNLOADING, 1.0),
    Mark("Loading weights with", Phase.LOADING_WEIGHTS),
    Mark("checkpoint shards", Phase.LOADING_WEIGHTS),
    Mark("Checkpoint size:", Phase.LOADING_WEIGHTS),
    Mark("Loading weights took", Phase.LOADING_WEIGHTS, 0.9),
    Mark("Loading model weights took", Phase.LOADING_WEIGHTS, 1.0),
    Mark("Model loading took", Phase.LOADING_WEIGHTS, 1.0),
    Mark("for vLLM's torch.compile", Phase.COMPILING, 0.1),
    Mark("Warming up model for the compilation", Phase.COMPILING, 0.1),
    Mark("Dynamo bytecode transform time", Phase.COMPILING, 0.3),
    Mark("Cache the graph of", Phase.COMPILING, 0.5),
    Mark("Compiling a graph for", Phase.COMPILING, 0.7),
    Mark("Directly load", Phase.COMPILING, 0.7),
    Mark("saved AOT compiled function", Phase.COMPILING, 0.8),
    Mark("torch.compile takes", Phase.COMPILING, 1.0),
    Mark("torch.compile took", Phase.COMPILING, 1.0),
    Mark("Memory profiling ", Phase.PROFILING_MEMORY, 0.5),
    Mark("Initial profiling/warmup run took", Phase.PROFILING_MEMORY, 0.3),
    Mark("Profiling CUDA graph memory", Phase.PROFILING_MEMORY, 0.4),
    Mark("Available KV cache memory", Phase.PROFILING_MEMORY, 0.6),
    Mark("for KV cache on node", Phase.PROFILING_MEMORY, 0.6),
    Mark("KV cache size:", Phase.PROFILING_MEMORY, 0.8),
    Mark("# GPU blocks:", Phase.PROFILING_MEMORY, 0.8),
    Mark("# cuda blocks:", Phase.PROFILING_MEMORY, 0.8),
    Mark("# CPU blocks:", Phase.PROFILING_MEMORY, 0.8),
    Mark("Capturing CUDA graph", Phase.CAPTURING_GRAPHS),
    Mark("Capturing cudagraphs", Phase.CAPTURING_GRAPHS),
    Mark("Capturing the model for CUDA graphs", Phase.CAPTURING_GRAPHS),
    Mark("Graph capturing finished", Phase.CAPTURING_GRAPHS, 1.0),
    Mark("Application startup complete", Phase.SERVING),
    Mark("Uvicorn running on", Phase.SERVING),
)

# Words that move the percentage and no phase.
LATE: tuple[tuple[str, int], ...] = (
    ("init engine (profile, create kv cache", 95),
    ("Starting vLLM server on http", 97),
    ("Starting vLLM API server", 97),
    ("Started server process", 98),
)

# Nearly every line with a mark has one only: it need not be looked for among all.
_ALONE: dict[str, tuple[tuple[Mark, ...], tuple[tuple[str, int], ...]]] = {
    **{mark.words: ((mark,), ()) for mark in MARKS}, **{words: ((), ((words, percent),)) for words, percent in LATE}}
_MARKED = re.compile(any_of([words.encode() for words in (*(m.words for m in MARKS), *(w for w, _ in LATE))]).decode())

# A progress bar of tqdm, with or without blocks: `label:  33% Completed | 1/3 [00:02<00:05`.
BAR = re.compile(
    r"(?P<label>[^\r\n%|\[\]]{0,120}?):? +(?P<percent>\d{1,3})%(?: Completed \||\|[^|]{0,40}\||) *"
    r"(?P<n>[\d.]+)[kMGT]?/(?P<of>[\d.]+)[kMGT]?i?B? \[(?P<spent>[\d:]+)<(?P<left>[\d:?]+)"
)
_SHARD = re.compile(r"-0*(\d+)-of-0*(\d+)\.(?:safetensors|bin|pt|gguf)$")
_WEIGHT_FILE = re.compile(r"\.(?:safetensors|bin|pt|pth|gguf)(?:\(…\))?$|^(?:Fetching \d+ files|Downloading)")
_MODEL = re.compile(r"Starting to load model (\S+?)\.\.\.|[( ]model='([^']+)'")
_HUB_MODEL = re.compile(r"(?![./~])[\w.-]+/[\w.-]+$")
SILENT_DOWNLOAD_S = 3.0     # vLLM hides the hub's own bars; so long a silence before loading is a download


@dataclass
class Phases:
    """The phase reached so far, since when, and the percentage; times are the caller's clock."""

    phase: Phase = Phase.STARTING
    since: float = 0.0
    percent: int = 0
    share: float = 0.0          # of the present phase, as far as marks and bars say how much lies behind
    share_at: float = 0.0       # when they said so
    history: list[tuple[Phase, float]] = field(default_factory=list)
    seconds_left: tuple[float, float] | None = None     # of this phase, as its bar says: (seconds, when it said so)
    may_download_since: float | None = None
    from_hub: bool = True
    _files: dict[str, float] = field(default_factory=dict)

    def begin(self, now: float) -> None:
        """Set the clock of the first phase."""
        self.since = now
        self.history.append((self.phase, now))

    def see(self, record: Record, now: float) -> None:
        """Take one line into account; outside any logger only if it begins with the words (source code quotes them)."""
        if found := _MARKED.search(record.text):
            self._see_marks(found, now, quiet=record.level in QUIET)
        self.see_bar(record.text, now)

    def _see_marks(self, first: re.Match[str], now: float, *, quiet: bool) -> None:
        text = first.string
        alone = _MARKED.search(text, first.start() + 1) is None
        marks, late = _ALONE[first[0]] if alone else (MARKS, LATE)
        for mark in marks:
            if mark.words in text and (quiet or text.startswith(mark.words)):
                self._mark(mark, text, now)
        for words, percent in late:
            if quiet and words in text:
                self._raise_percent(percent)

    def see_bar(self, text: str, now: float) -> None:
        """Take the last progress bar of `text` into account; the line may still be unfinished."""
        bar = None
        while "%" in text and "<" in text and (found := BAR.search(text)):     # both are dear without these
            bar, text = found, text[found.end():]
        if bar is not None:
            self._bar(bar, now)

    def tick(self, now: float) -> None:
        """Let time pass: a model of the hub that says nothing before loading is being downloaded."""
        since = self.may_download_since
        if since is not None and now - since >= SILENT_DOWNLOAD_S:
            self._reach(Phase.DOWNLOADING, since)

    def serve(self, now: float) -> None:
        """Take the last phase as reached, whatever the log has said."""
        self._reach(Phase.SERVING, now)

    def _mark(self, mark: Mark, text: str, now: float) -> None:
        phase = mark.phase
        if "model" in text and (model := _MODEL.search(text)):
            self.from_hub = _HUB_MODEL.match(model[1] or model[2]) is not None
        if mark.words in BEFORE_LOADING:
            if self.from_hub:
                self.may_download_since = self.may_download_since or now
            else:
                phase = Phase.LOADING_WEIGHTS
        self._reach(phase, now)
        self._done(phase, mark.done if phase is mark.phase else 0.0, now)

    def _bar(self, bar: re.Match[str], now: float) -> None:
        label, share = bar["label"].strip(), min(int(bar["percent"]), 100) / 100
        if "shards" in label or "Model Streamer" in label:
            phase = Phase.LOADING_WEIGHTS
        elif "Capturing" in label:
            phase, share = Phase.CAPTURING_GRAPHS, share * (0.6 if "mixed" in label else 1.0)
        elif _WEIGHT_FILE.search(label):
            phase, share = Phase.DOWNLOADING, self._downloaded(label, share)
        else:
            return
        self._reach(phase, now)
        if phase is self.phase:
            self._done(phase, share, now)
            left = clock_seconds(bar["left"])
            if phase is Phase.DOWNLOADING and len(self._files) > 1 and share:     # each bar speaks of one file
                left = (now - self.since) * (1 - share) / share
            self.seconds_left = None if left is None else (left, now)

    def _downloaded(self, label: str, share: float) -> float:
        """Share of all weight files, as far as their names say how many there are."""
        found = _SHARD.search(label)
        if not found or int(found[2]) == 0:
            return share if label.startswith("Fetching") else share / 2
        if len(self._files) < 1024:
            self._files[label] = max(share, self._files.get(label, 0.0))
        return min(sum(self._files.values()) / int(found[2]), 1.0)

    def _reach(self, phase: Phase, now: float) -> None:
        waiting_since = self.may_download_since
        if RANK[phase] > RANK[Phase.STARTING]:
            self.may_download_since = None
        if RANK[phase] <= RANK[self.phase]:
            return
        if RANK[phase] > RANK[Phase.LOADING_WEIGHTS] > RANK[self.phase]:
            self._reach(Phase.LOADING_WEIGHTS, waiting_since or now)      # old engines say nothing in between
        self.phase, self.since, self.share, self.share_at, self.seconds_left = phase, now, 0.0, now, None
        self.history.append((phase, now))
        self._raise_percent(SPANS[phase][0])

    def _done(self, phase: Phase, share: float, now: float) -> None:
        if phase is self.phase:
            low, high = SPANS[phase]
            if share > self.share:
                self.share, self.share_at = share, now
            self._raise_percent(low + int((high - low) * share))

    def _raise_percent(self, percent: int) -> None:
        if percent < 100 or self.phase is Phase.SERVING:
            self.percent = max(self.percent, percent)


def clock_seconds(text: str) -> float | None:
    """Seconds of tqdm's `MM:SS` or `H:MM:SS`; None for its `?`."""
    total = 0.0
    for part in text.split(":"):
        if not part.isdigit():
            return None
        total = total * 60 + int(part)
    return total
