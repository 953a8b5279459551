"""How the log and the way in which the process ended are judged together."""

import pytest

from deepseekserve.agent.diagnosis import ExitInfo, LogReader
from deepseekserve.agent.reasons import Reason
from tests.logs import recorder

SERVING = b"INFO:     Application startup complete.\n"


def reader_of(name: str) -> LogReader:
    log = next(log for log in recorder.CPU_LOGS if log.path.stem == name)
    reader = LogReader()
    for second, data in log.timed():
        reader.feed(data, second)
    return reader


def reason(reader: LogReader, **end: object) -> Reason | None:
    failure = reader.failure(ExitInfo(**end))  # type: ignore[arg-type]
    return failure.reason if failure else None


def test_a_killed_engine_core_is_likely_out_of_memory() -> None:
    failure = reader_of("fail-oomkill-enginecore-during-load").failure(ExitInfo())
    assert failure is not None
    assert failure.reason is Reason.HOST_OUT_OF_MEMORY
    assert "most likely" in failure.message


def test_the_cgroups_counter_decides_what_killed_the_engine_core() -> None:
    reader = reader_of("fail-oomkill-enginecore-during-load")
    assert reason(reader, code=1, oom_killed=True) is Reason.HOST_OUT_OF_MEMORY
    assert reason(reader, code=1, oom_killed=False) is Reason.ENGINE_CORE_DIED
    assert reason(reader, code=1, oom_killed=None) is Reason.HOST_OUT_OF_MEMORY


def test_the_counter_decides_while_serving_too() -> None:
    reader = reader_of("fail-sigkill-worker")
    assert reason(reader, code=0, oom_killed=True) is Reason.HOST_OUT_OF_MEMORY
    assert reason(reader, code=0, oom_killed=False) is Reason.ENGINE_CORE_DIED


def test_a_killed_main_process_is_unknown_with_the_signal_named() -> None:
    reader = reader_of("fail-sigkill-apiserver")
    failure = reader.failure(ExitInfo(signal=9, oom_killed=False))
    assert failure is not None
    assert failure.reason is Reason.UNKNOWN
    assert "signal 9" in failure.message
    assert reason(reader, signal=9, oom_killed=True) is Reason.HOST_OUT_OF_MEMORY
    assert reason(reader, code=137) is Reason.UNKNOWN


def test_an_error_in_the_log_explains_more_than_the_signal() -> None:
    assert reason(reader_of("fail-kv-too-small-for-one-seq"), signal=9, oom_killed=False) is Reason.KV_CACHE_TOO_SMALL


@pytest.mark.parametrize("end", [{"signal": 15}, {"code": 143}, {"signal": 2}, {"code": 130}])
def test_a_stop_signal_that_nobody_asked_for_is_terminated(end: dict[str, int]) -> None:
    reader = LogReader()
    reader.feed(b"INFO 11-21 21:44:46 [x.py:1] starting\n", 1.0)
    assert reason(reader, **end) is Reason.TERMINATED


def test_a_requested_stop_is_no_failure() -> None:
    assert reason(reader_of("fail-sigterm-twice-during-model-load"), code=130, requested=True) is None


def test_a_crash_signal_is_the_death_of_the_engine() -> None:
    failure = LogReader().failure(ExitInfo(signal=11))
    assert failure is not None
    assert failure.reason is Reason.ENGINE_CORE_DIED
    assert "signal 11" in failure.message


@pytest.mark.parametrize(
    ("log", "end"),
    [
        (b"RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): "
         b"{'EngineCore': -4}\n", ExitInfo(code=1)),
        (b"(EngineCore pid=1) ERROR 11-27 21:18:27 [multiproc_executor.py:315] Worker proc VllmWorker-0 died "
         b"unexpectedly (exit code: -4), shutting down executor.\n", ExitInfo(code=1)),
        (b"", ExitInfo(signal=4)),
        (b"", ExitInfo(code=132)),
    ],
)
def test_an_instruction_that_the_processor_lacks_is_the_images_fault(log: bytes, end: ExitInfo) -> None:
    reader = LogReader()
    reader.feed(log, 1.0)
    failure = reader.failure(end)
    assert failure is not None
    assert failure.reason is Reason.ENGINE_CORE_DIED
    assert "does not suit the node's processor" in failure.message
    assert "spec.engine.image" in failure.remedy


@pytest.mark.parametrize("said", [
    b"torch.AcceleratorError: CUDA error: an illegal instruction was encountered\n",
    b"terminate called after throwing an instance of 'c10::Error' what(): CUDA error: an illegal instruction was "
    b"encountered\n",
    b"ValueError: logit_bias {'17': -4.5} is out of range\n",
])
@pytest.mark.parametrize("before", [b"", SERVING])
def test_a_gpus_illegal_instruction_or_a_number_is_not_the_processors(said: bytes, before: bytes) -> None:
    reader = LogReader()
    reader.feed(before + b"(EngineCore pid=2) ERROR 11-21 21:44:46 [core.py:1512] EngineCore encountered a fatal error."
                b"\n" + said, 1.0)
    failure = reader.failure(ExitInfo(code=1))
    assert failure is not None
    assert "processor" not in failure.message


@pytest.mark.parametrize("code", [0, 1, 7])
def test_an_exit_without_a_word_is_unknown_with_its_code(code: int) -> None:
    failure = LogReader().failure(ExitInfo(code=code))
    assert failure is not None
    assert failure.reason is Reason.UNKNOWN
    assert f"exit code {code}" in failure.message


def test_an_engine_that_dies_while_serving_is_named_by_a_more_precise_cause() -> None:
    reader = LogReader()
    reader.feed(
        SERVING
        + (
            b"(Worker pid=3) ERROR 11-21 21:44:46 [multiproc_executor.py:1063] WorkerProc hit an exception.\r\n"
            b"(Worker pid=3) ERROR 11-21 21:44:46 [multiproc_executor.py:1063] Traceback (most recent call last):\r\n"
            b"(Worker pid=3) ERROR 11-21 21:44:46 [multiproc_executor.py:1063] torch.OutOfMemoryError: CUDA out of "
            b"memory.\r\n"
        ),
        1.0,
    )
    assert reader.failure(None) is None  # a request may fail of it, and the engine live on
    reader.feed(
        b"(EngineCore pid=2) ERROR 11-21 21:44:46 [core.py:1512] EngineCore encountered a fatal error.\r\n", 2.0
    )
    failure = reader.failure(None)
    assert failure is not None
    assert failure.reason is Reason.CUDA_OUT_OF_MEMORY
    assert failure.fixes[0].field == "spec.engine.memoryUtilizationPercent"


def test_an_engine_core_that_vanishes_while_serving_has_died_although_it_is_only_a_warning() -> None:
    said = (
        b"(APIServer pid=1) INFO 11-21 21:44:46 [utils.py:628] [shutdown] Process manager: send sigterm\n"
        b"(APIServer pid=1) WARNING 11-21 21:44:46 [core_client.py:818] [shutdown] MPClient: engine core exited "
        b"unexpectedly; starting cleanup\n"
        b"(APIServer pid=1) INFO 11-21 21:44:46 [core_client.py:770] [shutdown] MPClient: start timeout=0s\n"
        b"INFO:     Shutting down\n"
    )
    reader = LogReader()
    reader.feed(SERVING + said, 1.0)
    assert reason(reader) is Reason.ENGINE_CORE_DIED
    assert reason(reader, code=0, oom_killed=True) is Reason.HOST_OUT_OF_MEMORY


@pytest.mark.parametrize(
    "line",
    [
        b"ERROR 03-05 21:44:46 [core_client.py:500] Engine core proc EngineCore_0 died unexpectedly, shutting down "
        b"client.\n",
        b"ERROR 12-05 21:44:46 client.py:305] RuntimeError('Engine process (pid 1234) died.')\n",
        b"ERROR 12-05 21:44:46 async_llm_engine.py:62] Engine background task failed\n",
    ],
)
def test_older_engines_announce_their_death_in_other_words(line: bytes) -> None:
    reader = LogReader()
    reader.feed(SERVING + line, 1.0)
    assert reason(reader) is Reason.ENGINE_CORE_DIED


def test_an_error_long_before_the_death_does_not_explain_it() -> None:
    reader = LogReader()
    reader.feed(SERVING + b"(Worker pid=3) ERROR 11-21 21:44:46 [multiproc_executor.py:1063] MemoryError\r\n", 1.0)
    reader.feed(
        b"(EngineCore pid=2) ERROR 11-21 22:44:46 [core.py:1512] EngineCore encountered a fatal error.\r\n", 3600.0
    )
    assert reason(reader) is Reason.ENGINE_CORE_DIED


def test_what_a_start_has_survived_is_forgotten_once_it_serves() -> None:
    reader = LogReader()
    reader.feed(b"OSError: [Errno 98] Address already in use\n" + SERVING, 1.0)
    assert reason(reader) is None


@pytest.mark.parametrize("log", [log for log in recorder.CPU_FAILURES if not log.field("ready_s")], ids=str)
def test_a_failing_start_is_named_before_its_process_has_ended(log: recorder.Log) -> None:
    reader, ended, named = LogReader(), 0.0, None
    for second, data in log.timed():
        reader.feed(data, second)
        ended = second
        if named is None and reader.failure(None) is not None:
            named = second
    failure = reader.failure(None)
    if log.cause == "HostOutOfMemory" or failure is None:
        assert log.cause in {"HostOutOfMemory", "QuantizationUnsupported", "InvalidArgument"}  # certain only at the end
        return
    assert named is not None
    assert named <= ended
    assert failure.reason.value == log.cause


@pytest.mark.parametrize("log", recorder.SUCCESSES, ids=str)
def test_no_success_is_ever_believed_to_be_failing_while_it_runs(log: recorder.Log) -> None:
    reader = LogReader()
    for second, data in log.timed():
        for line in data.splitlines(keepends=True):
            reader.feed(line, second)
            assert reader.failure(None) is None


def test_secrets_do_not_reach_the_excerpt() -> None:
    reader = LogReader()
    reader.feed(b"ValueError: bad --api-key sk-abcdefghijklmnop for token=hf_ABCDEFGHIJKLMNOPQRST\n", 1.0)
    failure = reader.failure(ExitInfo(code=1))
    assert failure is not None
    said = " ".join((failure.message, failure.remedy, *failure.lines))
    assert "abcdefgh" not in said
    assert "ABCDEFGH" not in said


def test_prompts_do_not_reach_the_excerpt_of_a_sudden_end() -> None:
    reader = LogReader()
    reader.feed(
        SERVING + b"(APIServer pid=7) INFO 11-21 21:44:46 [logger.py:39] Received request: prompt: 'my secret'\n"
        b"(APIServer pid=7) ERROR 11-21 21:44:46 [serving.py:274] ValueError: my secret is no JSON\n"
        b"ERROR:    Exception in ASGI application\nTraceback (most recent call last):\nTemplateError: my\nsecret\n"
        b"(EngineCore pid=2) INFO 11-21 21:44:46 [x.py:1] my secret\n"
        b"(EngineCore pid=2) something odd at the end\n[rank0]:[E1121 21:44:46.0 1 nccl.cpp:8] watchdog\n",
        1.0,
    )
    failure = reader.failure(ExitInfo(signal=9))
    assert failure is not None
    assert failure.lines == (
        "(EngineCore pid=2) something odd at the end", "[rank0]:[E1121 21:44:46.0 1 nccl.cpp:8] watchdog")


def test_an_engine_seen_to_serve_is_read_so_whatever_its_log_says() -> None:
    reader, error = LogReader(), b"vllm: error: jinja2.exceptions.TemplateError: a request's\n"
    reader.feed(b"INFO 11-21 21:44:46 [x.py:1] starting\n", 1.0)
    reader.serve(2.0)
    reader.feed(error, 3.0)
    assert (reader.serving_announced, reader.percent, reader.phase_since) == (True, 100, 2.0)
    assert reader.failure(None) is None
    assert reason(reader) is None
