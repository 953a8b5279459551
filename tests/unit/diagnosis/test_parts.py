"""The small parts of the diagnosis, each by itself: lines, records, words, flags, progress."""

import pytest

from deepseekserve.agent.enginefacts import Facts
from deepseekserve.agent.logtext import LINE_LIMIT, Lines, Record, clip, decode, record, records
from deepseekserve.agent.phases import Phases, clock_seconds
from deepseekserve.agent.progress import BUDGETS, Pulse, budget, expected_seconds
from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.agent.signatures.entry import Case
from deepseekserve.agent.signatures.flags import FLAGS, nearest
from deepseekserve.agent.signatures.words import gib, multiple_of_16, quantity, redact, shorten


def test_lines_are_cut_at_line_ends_and_carriage_returns() -> None:
    lines = Lines()
    assert lines.feed(b"a\rb\r\nc") == b"a\nb\n\n"
    assert lines.rest == b"c"
    assert lines.feed(b"d\n") == b"cd\n"


def test_a_giant_line_keeps_head_and_tail_however_it_comes() -> None:
    data = bytes(range(32, 127)) * 1000
    whole, pieces = Lines(), Lines()
    whole.feed(data)
    for at in range(0, len(data), 777):
        pieces.feed(data[at : at + 777])
    assert whole.rest == pieces.rest == clip(data)
    assert len(whole.rest) == LINE_LIMIT


def test_text_is_free_of_colours_and_of_bytes_that_are_no_text() -> None:
    assert decode(b"\x1b[31mred\x1b[0m \x1b]0;title\x07\xff\x00end") == "red \ufffdend"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "(EngineCore pid=11) ERROR 11-21 21:09:24 [core.py:15] x",
            Record("EngineCore 11", "ERROR", "core.py:15", "x"),
        ),
        (
            "(VllmWorker rank=2 pid=6) WARNING 08-15 10:41:47 [fp8.py:5] x",
            Record("VllmWorker 6", "WARNING", "fp8.py:5", "x"),
        ),
        (
            "(Server pid=5) (Worker pid=7) DEBUG 04-21 07:18:59 [v1/core.py:8] x",
            Record("Worker 7", "DEBUG", "v1/core.py:8", "x"),
        ),
        ("(RayWorker pid=7, ip=10.0.0.1) x", Record("RayWorker 7", "", "", "x")),
        ("INFO 04-22 09:31:33 selector.py:51] x", Record("", "INFO", "selector.py:51", "x")),
        ("INFO:     x", Record("", "INFO", "uvicorn", "x")),
        ("[rank0]: x", Record("rank0", "", "", "x")),
        ("[rank2]:E0801 01:44:44.075000 17 torch/t.py:8] [1/0] x", Record("rank2", "ERROR", "torch", "x")),
        ("[W1121 21:05:10.815174148 utils.cpp:68] x", Record("", "WARNING", "torch", "x")),
        ("E0000 00:00:1747439593.896558   18058 cuda_dnn.cc:8310] x", Record("", "ERROR", "torch", "x")),
        ("2025-07-09 09:18:36,818 - INFO - x", Record("", "INFO", "dated", "x")),
        (
            "2025-07-09 09:18:36 (EngineCore pid=1) ERROR 11-21 21:09:24 [core.py:1] x",
            Record("EngineCore 1", "ERROR", "core.py:1", "x"),
        ),
        ("144:(EngineCore pid=1) x", Record("EngineCore 1", "", "", "x")),
        ("12:30:05 the time of day", Record("", "", "", "12:30:05 the time of day")),
        ("plain text", Record("", "", "", "plain text")),
    ],
)
def test_a_line_is_taken_apart(line: str, expected: Record) -> None:
    assert record(line) == expected


def test_a_json_record_becomes_a_record_per_line_of_its_message() -> None:
    line = (
        b'{"levelname": "ERROR", "name": "vllm.v1.engine.core", "processName": "EngineCore", "process": 7, '
        b'"message": "failed", "exc_info": "Traceback (most recent call last):\\nValueError: x"}'
    )
    assert [(r.process, r.source, r.text) for r in records(line)] == [
        ("EngineCore 7", "core.py:0", "failed"),
        ("EngineCore 7", "core.py:0", "Traceback (most recent call last):"),
        ("EngineCore 7", "core.py:0", "ValueError: x"),
    ]


@pytest.mark.parametrize(
    "line", [b'{"message": 5, "level": "x"}', b"{broken}", b'{"a": 1}', b"x {1}", b"(P pid=1) [{}]{}"]
)
def test_what_only_looks_like_json_is_a_plain_line(line: bytes) -> None:
    assert len(list(records(line))) == 1


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--max-modle-len", "--max-model-len"),
        ("--tensor_parallel_size=2", "--tensor-parallel-size"),
        ("--no-enable-prefix-cachin", "--no-enable-prefix-caching"),
        ("--quantisation", "--quantization"),
        ("--zzz", None),
    ],
)
def test_the_nearest_flag_is_found(typed: str, meant: str | None) -> None:
    assert nearest(typed) == meant


def test_the_flags_are_those_of_one_release() -> None:
    assert {"max-model-len", "kv-cache-memory-bytes", "middleware", "served-model-name"} <= FLAGS
    assert all(flag == flag.strip("-") for flag in FLAGS)


@pytest.mark.parametrize(
    ("value", "said"), [(None, "some memory"), (0.02, "20 MiB"), (0.5, "0.5 GiB"), (11.714, "11.71 GiB")]
)
def test_memory_is_said_in_a_fitting_unit(value: float | None, said: str) -> None:
    assert gib(value) == said


@pytest.mark.parametrize(("value", "said"), [(0.02, "21Mi"), (1.0, "1Gi"), (1.2, "1229Mi"), (4.1, "5Gi")])
def test_a_quantity_is_rounded_up(value: float, said: str) -> None:
    assert quantity(value) == said


def test_tokens_are_whole_blocks() -> None:
    assert (multiple_of_16(1920), multiple_of_16(1935.9), multiple_of_16(15)) == (1920, 1920, 0)


def test_a_long_text_is_cut_at_a_word() -> None:
    assert shorten("aaa bbb ccc", 9) == "aaa bbb ..."
    assert shorten("aaa", 9) == "aaa"


@pytest.mark.parametrize(
    "secret",
    [
        "--api-key sekret1",
        "--api-key=sekret1",
        "api_key='sekret1'",
        "Authorization: Bearer sekret1",
        "token: sekret1",
        "hf_sekret1abcdefghij",
    ],
)
def test_secrets_are_hidden(secret: str) -> None:
    assert "sekret1" not in redact(f"before {secret} after")


def test_words_about_tokens_are_no_secrets() -> None:
    assert redact("partial multimodal token full attention") == "partial multimodal token full attention"


def test_a_case_reads_numbers_with_marks_and_without() -> None:
    case = Case(Reason.UNKNOWN, {"a": "1,024", "b": "9.", "c": "x"}, Facts(), Phase.STARTING)
    assert (case.number("a"), case.number("b"), case.number("c"), case.number("d")) == (1024.0, 9.0, None, None)
    assert case.first("d", "c") == "x"


@pytest.mark.parametrize(("text", "seconds"), [("00:51", 51), ("1:02:03", 3723), ("?", None)])
def test_a_bars_clock_is_read(text: str, seconds: float | None) -> None:
    assert clock_seconds(text) == seconds


def info(text: str) -> Record:
    return Record("EngineCore 1", "INFO", "x.py:1", text)


def phases_after(*texts: str, now: float = 0.0) -> Phases:
    phases = Phases()
    phases.begin(0.0)
    for text in texts:
        phases.see(info(text), now)
    return phases


def test_a_hub_model_that_is_silent_before_loading_is_being_downloaded() -> None:
    phases = phases_after("Starting to load model org/name...")
    phases.tick(2.0)
    assert phases.phase is Phase.STARTING
    assert budget(phases) == BUDGETS[Phase.DOWNLOADING]
    phases.tick(3.5)
    assert (phases.phase, phases.since) == (Phase.DOWNLOADING, 0.0)
    phases.see(info("Loading weights took 3 seconds"), 9.0)
    assert (phases.phase, phases.since) == (Phase.LOADING_WEIGHTS, 9.0)


@pytest.mark.parametrize("model", ["/models/x", "./x/y", "../x", "merged/"])
def test_a_model_on_disk_is_loaded_at_once(model: str) -> None:
    assert phases_after(f"Starting to load model {model}...").phase is Phase.LOADING_WEIGHTS


def test_the_model_is_known_from_the_configuration_too() -> None:
    config = "Initializing a V1 LLM engine (v0.32.0) with config: model='/models/x', tokenizer='/models/x'"
    assert phases_after(config, "Loading model from scratch...").phase is Phase.LOADING_WEIGHTS


def test_bars_of_weight_files_are_a_download_and_of_other_files_are_not() -> None:
    assert phases_after("tokenizer.json: 100%|███| 11.4M/11.4M [00:00<00:00, 14.2MB/s]").phase is Phase.STARTING
    phases = phases_after("model-00001-of-00002.safetensors: 100%|███| 4.9G/4.9G [00:50<00:00, 100MB/s]")
    assert (phases.phase, phases.percent) == (Phase.DOWNLOADING, 25)
    assert phases_after("Fetching 4 files:  50%|███  | 2/4 [00:50<00:50, 25s/it]").percent == 25
    assert phases_after("model.safetensors: 100%|███| 4.9G/4.9G [00:50<00:00, 100MB/s]").percent == 25


def test_source_code_that_quotes_a_mark_begins_no_phase() -> None:
    phases = Phases()
    phases.see(
        Record("", "", "", '430 logger.info(("init engine (profile, create kv cache, Capturing CUDA graphs"'), 0.0
    )
    assert (phases.phase, phases.percent) == (Phase.STARTING, 0)


def test_nothing_is_expected_before_the_engine_has_said_what_it_loads() -> None:
    assert expected_seconds(phases_after(), Facts(), 1.0) is None
    assert expected_seconds(phases_after("Application startup complete."), Facts(), 1.0) is None
    waiting = phases_after("Starting to load model org/name...")
    waiting.tick(9.0)
    assert expected_seconds(waiting, Facts(), 9.0) is None


def test_the_expected_time_follows_the_bar() -> None:
    bar = "Loading safetensors checkpoint shards:  50% Completed | 2/4 [00:50<00:40, 20s/it]"
    phases, eager = phases_after(bar, now=14.0), Facts(eager=True)
    assert expected_seconds(phases, eager, 14.0) == pytest.approx(40 + 3 + 1)
    assert expected_seconds(phases, eager, 24.0) == pytest.approx(30 + 3 + 1)
    assert expected_seconds(phases, Facts(), 14.0) == pytest.approx(40 + 20 + 3 + 12 + 1)


def test_of_several_files_that_are_downloaded_all_count() -> None:
    phases = phases_after("Resolved architecture: X", now=14.0)
    for number, now in ((1, 20.0), (2, 30.0)):
        bar = f"model-0000{number}-of-00004.safetensors:  50%|███   | 2G/4G [00:01<00:01, 2GB/s]"
        phases.see(info(bar), now)
    assert phases.seconds_left is not None
    assert phases.seconds_left[0] == pytest.approx(30.0)      # a quarter lies behind after 10 seconds


def test_between_two_marks_a_beginning_is_expected_to_go_on_as_it_began() -> None:
    phases = phases_after("Resolved architecture: X", now=8.0)
    eager = Facts(cpu=True, eager=True)
    at_once, later = expected_seconds(phases, eager, 8.0), expected_seconds(phases, eager, 12.0)
    assert at_once
    assert later == pytest.approx(at_once - 4.0)


def test_a_phase_that_has_lasted_for_long_is_expected_to_last_longer() -> None:
    phases = phases_after("Loading weights with", now=14.0)
    eager = Facts(eager=True)
    assert expected_seconds(phases, eager, 14.0 + 60) == pytest.approx(20 + 3 + 1)


def test_the_size_of_the_checkpoint_says_how_long_loading_takes() -> None:
    small, big = Facts(cpu=True), Facts(cpu=True, checkpoint_bytes=70 << 30)
    phases = phases_after("Resolved architecture: X")
    assert (expected_seconds(phases, big, 1.0) or 0) - (expected_seconds(phases, small, 1.0) or 0) > 20


def test_heartbeats_and_probes_are_no_progress() -> None:
    pulse = Pulse(0.0)
    pulse.feel(
        b"INFO 11-21 21:04:54 [shm_broadcast.py:8] No available shared memory broadcast block found in 60 seconds.\n",
        5.0,
    )
    pulse.feel(b'INFO:     127.0.0.1:5 - "GET /health HTTP/1.1" 200 OK\n\n', 6.0)
    assert pulse.at == 0.0
    pulse.feel(b"INFO 11-21 21:04:54 [x.py:8] something new\n", 7.0)
    assert pulse.at == 7.0


def test_a_loop_that_repeats_itself_stops_being_progress() -> None:
    pulse = Pulse(0.0)
    for second in range(1, 500):
        pulse.feel(b"Retrying in %ds\n" % second, float(second))
    assert 50 < pulse.at < 200


def test_a_bar_is_progress_only_while_it_moves() -> None:
    pulse = Pulse(0.0)
    pulse.feel(b"shards:  33% Completed | 1/3 [00:02<00:05]\n", 1.0)
    pulse.feel(b"shards:  33% Completed | 1/3 [00:02<00:05]\n", 2.0)
    assert pulse.at == 1.0


def test_forms_of_lines_are_remembered_in_bounded_number() -> None:
    pulse = Pulse(0.0)
    for number in range(5000):
        pulse.feel(b"line " + b"abcdefghij"[number % 10 :] + b"x" * (number % 97) + b"%d%%\n" % number, float(number))
    assert len(pulse._forms) <= 2048
