"""What looks fatal and is not raises no alarm: lines of the field, warnings, and texts that users send."""

import io

import pytest

from deepseekserve.agent.diagnose import diagnose
from deepseekserve.agent.diagnosis import ExitInfo, LogReader
from tests.logs import recorder
from tests.logs.test_wordings import WORDINGS, Wording

SERVING = b"INFO:     Application startup complete.\n"
FATAL = [
    "EngineCore encountered a fatal error.",
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
    'Traceback (most recent call last):\n  File "x.py", line 1, in x\nvllm.v1.engine.exceptions.EngineDeadError: dead',
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': -9}",
    "[Errno 98] address already in use",
    "KeyboardInterrupt: terminated",
    "(EngineCore pid=1) ERROR 11-21 21:44:46 [core.py:1512] EngineCore encountered a fatal error.",
]


def reason_of(data: bytes) -> object:
    return diagnose(io.BytesIO(data))["reason"]


@pytest.mark.parametrize("line", recorder.harmless_lines())
def test_a_harmless_line_alone_raises_no_alarm(line: str) -> None:
    assert reason_of(line.encode() + b"\n") is None


def test_all_harmless_lines_together_raise_no_alarm() -> None:
    assert reason_of("\n".join(recorder.harmless_lines()).encode()) is None


@pytest.mark.parametrize("log", recorder.CPU_SUCCESSES, ids=str)
def test_harmless_lines_between_those_of_a_start_raise_no_alarm(log: recorder.Log) -> None:
    harmless = [line.encode() + b"\n" for line in recorder.harmless_lines()] or [b"WARNING: harmless\n"]
    lines = log.engine_bytes.splitlines(keepends=True)
    mixed = [part for number, line in enumerate(lines) for part in (harmless[number % len(harmless)], line)]
    assert reason_of(b"".join(mixed)) is None


@pytest.mark.parametrize("wording", [w for w in WORDINGS if w.reason], ids=str)
def test_an_error_quoted_at_the_level_of_a_warning_raises_no_alarm(wording: Wording) -> None:
    prefix = "(EngineCore pid=1) WARNING 11-21 21:44:46 [model.py:5] "
    lines = [prefix + line for line in wording.text.splitlines()]
    assert reason_of("\n".join(lines).encode()) is None


@pytest.mark.parametrize("text", FATAL)
def test_a_prompt_that_quotes_a_fatal_line_is_not_the_engines_word(text: str) -> None:
    record = "(APIServer pid=7) INFO 11-21 21:44:46 [logger.py:39] Received request cmpl-1: prompt: "
    logged_as_literal = f"{record}{text!r}, params: SamplingParams(n=1)\n"
    logged_with_line_ends = "".join(f"{record}{line}\r\n" for line in text.splitlines())
    error = "(APIServer pid=7) ERROR 11-21 21:44:46 [serving.py:274] "
    refused = f"{error}Error with model error=ErrorInfo(message='{text!r}')\n"
    raised = "".join(
        f"{error}{line}\r\n"
        for line in ("Traceback (most recent call last):", f"ValueError: {text}", *text.splitlines())
    )
    for said in (logged_as_literal, logged_with_line_ends, refused, raised):
        reader = LogReader()
        reader.feed(SERVING + said.encode(), 1.0)
        assert reader.failure(None) is None
        assert reader.failure(ExitInfo()) is None


def test_a_prompt_in_a_json_record_is_not_the_engines_word() -> None:
    said = (
        b'{"levelname": "INFO", "name": "vllm.entrypoints.logger", "message": "Received request: prompt: \'x\\nERROR '
        b"11-21 21:44:46 [core.py:1] EngineCore encountered a fatal error.'\"}\n"
    )
    assert reason_of(SERVING + said) is None


def test_a_request_that_fails_does_not_fail_the_engine() -> None:
    said = (
        b"ERROR:    Exception in ASGI application\nTraceback (most recent call last):\n"
        b'  File "/x/app.py", line 1, in app\nMemoryError\n'
        b"(Worker pid=3) ERROR 11-21 21:44:46 [multiproc_executor.py:1063] WorkerProc hit an exception.\r\n"
        b"(Worker pid=3) ERROR 11-21 21:44:46 [multiproc_executor.py:1063] Traceback (most recent call last):\r\n"
        b"(Worker pid=3) ERROR 11-21 21:44:46 [multiproc_executor.py:1063] ValueError: adapter not found\r\n"
    )
    assert reason_of(SERVING + said) is None


def test_a_requested_stop_is_no_failure_whatever_its_processes_say_of_each_other() -> None:
    said = (
        b"(APIServer pid=1) INFO 11-21 21:44:46 [launcher.py:254] [shutdown] API server: shutdown triggered\n"
        b"(APIServer pid=1) ERROR 11-21 21:44:46 [async_llm.py:906] AsyncLLM output_handler failed.\n"
        b"(EngineCore pid=2) ERROR 11-21 21:44:46 [core.py:1512] EngineCore encountered a fatal error.\n"
    )
    assert reason_of(SERVING + said) is None
