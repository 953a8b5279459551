"""Phases and progress of the recorded starts: each phase that occurs, none going back, the percentage never falling."""

from collections.abc import Iterable

import pytest

from deepseekserve.agent.diagnosis import LogReader
from deepseekserve.agent.reasons import ENGINE_PHASES, Phase
from tests.logs import recorder
from tests.logs.recorder import Log

# Words that are only written in a phase: what a log must show is derived from them, apart from the parser's own table.
SHOWN_BY: dict[Phase, tuple[str, ...]] = {
    Phase.DOWNLOADING: ("Time spent downloading weights",),
    Phase.LOADING_WEIGHTS: (
        "checkpoint shards:",
        "Loading weights took",
        "Loading model weights took",
        "Model loading took",
    ),
    Phase.COMPILING: ("Dynamo bytecode transform time", "Warming up model for the compilation"),
    Phase.PROFILING_MEMORY: ("KV cache size: ", "# GPU blocks: ", "# cuda blocks: ", "Memory profiling takes"),
    Phase.CAPTURING_GRAPHS: ("Capturing CUDA graph", "Capturing cudagraphs", "Graph capturing finished"),
    Phase.SERVING: ("Application startup complete.",),
}


def read(chunks: Iterable[tuple[float, bytes]]) -> tuple[LogReader, list[Phase], list[int]]:
    """Feed a log and note the phase and the percentage after each part."""
    reader = LogReader()
    phases, percents = [reader.phase], [reader.percent]
    for second, data in chunks:
        reader.feed(data, second)
        phases.append(reader.phase)
        percents.append(reader.percent)
    return reader, phases, percents


def shown_by(log: bytes) -> set[Phase]:
    """The phases that a start shows which has written this."""
    text = log.decode("utf-8", "replace")
    return {phase for phase, words in SHOWN_BY.items() if any(w in text for w in words)} | {Phase.STARTING}


def by_line(log: Log) -> list[tuple[float, bytes]]:
    return [(second, line) for second, data in log.timed() for line in data.splitlines(keepends=True)]


@pytest.mark.parametrize("log", recorder.EVERY_LOG, ids=str)
def test_phases_never_go_back(log: Log) -> None:
    _, phases, _ = read(by_line(log))
    ranks = [ENGINE_PHASES.index(phase) for phase in phases]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("log", recorder.EVERY_LOG, ids=str)
def test_the_percentage_never_falls_and_is_100_only_when_serving(log: Log) -> None:
    _, phases, percents = read(by_line(log))
    assert percents == sorted(percents)
    assert all((percent == 100) == (phase is Phase.SERVING) for phase, percent in zip(phases, percents, strict=True))


@pytest.mark.parametrize("log", recorder.SUCCESSES, ids=str)
def test_each_phase_that_occurs_is_shown(log: Log) -> None:
    expected = shown_by(log.engine_bytes)
    reader, phases, _ = read(by_line(log))
    assert expected <= set(phases)
    assert {phase for phase, _ in reader.phases} - expected <= {Phase.LOADING_WEIGHTS}  # old engines do not show it


@pytest.mark.parametrize("log", recorder.CPU_SUCCESSES, ids=str)
def test_serving_is_announced_just_before_health_answers(log: Log) -> None:
    reader, _, _ = read(by_line(log))
    assert reader.serving_announced
    assert 0 <= float(log.field("ready_s")) - reader.phase_since < 0.5


@pytest.mark.parametrize("log", recorder.GPU_SUCCESSES, ids=str)
def test_what_a_gpu_engine_reports_is_read_as_its_index_says(log: Log) -> None:
    reader, _, _ = read(by_line(log))
    facts, dtype = reader.facts, log.field("dtype/quantization").split("/")
    assert facts["dtype"] == dtype[0]
    assert facts["quantization"] == (dtype[1] if len(dtype) > 1 else None)
    assert facts["maxModelLen"] == int(log.field("max_model_len"))
    if tokens := log.field("kv_tokens").rstrip("*"):
        assert facts["kvCacheTokens"] == int(tokens)
    if concurrency := log.field("max_concurrency"):
        assert facts["maxConcurrency"] == concurrency
    if weights := log.field("weights_gib"):
        assert facts["weightsBytes"] == int(float(weights) * (1 << 30))
    if "inferred" not in log.field("vllm_version"):
        assert facts["version"] == log.field("vllm_version")


@pytest.mark.parametrize("log", recorder.CPU_SUCCESSES, ids=str)
def test_what_a_cpu_engine_reports_is_read(log: Log) -> None:
    reader, _, _ = read(by_line(log))
    facts = reader.facts
    assert (facts["version"], facts["dtype"], facts["quantization"]) == ("0.32.0", "bfloat16", None)
    assert isinstance(facts["kvCacheTokens"], int)
    assert isinstance(facts["maxModelLen"], int)
    assert f"{facts['kvCacheTokens'] / facts['maxModelLen']:.2f}" == facts["maxConcurrency"]


def test_a_context_that_was_reduced_unasked_is_noted() -> None:
    log = next(log for log in recorder.CPU_SUCCESSES if log.path.stem == "ok-n-maxlen-auto")
    reader, _, _ = read(log.timed())
    assert reader.facts["maxModelLen"] == 8064
    assert reader.facts["notes"] == ["The context was reduced from 32768 to 8064 tokens: the KV cache holds no more."]
