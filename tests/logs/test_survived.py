"""What a program has caught and logged on its way is no failure of the start: neither while it runs nor at its end."""

import pytest

from deepseekserve.agent.diagnosis import ExitInfo, LogReader
from deepseekserve.agent.reasons import Reason

PLUGIN = "(EngineCore pid=7) ERROR 11-21 21:44:46 [__init__.py:75] "
CORE = "(EngineCore pid=7) ERROR 11-21 21:44:46 [core.py:1510] "
MISSING = (
    "Traceback (most recent call last):",
    '  File "/x/importlib/metadata/__init__.py", line 205, in load',
    "    module = import_module(match.group('module'))",
    "ModuleNotFoundError: No module named 'flash_attn'",
)
UNCAUGHT = (MISSING[0], '  File "/usr/local/bin/vllm", line 8, in <module>', *MISSING[2:])
LOADING = "(EngineCore pid=7) INFO 11-21 21:44:47 [base_loader.py:82] Loading weights took 3 seconds"
RESOLVED = "(APIServer pid=1) INFO 11-21 21:44:47 [model.py:5] Resolved architecture: X"
KILLED = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': 1}"


def logged(prefix: str, headline: str, lines: tuple[str, ...] = MISSING) -> list[str]:
    return [prefix + line for line in (headline, *lines)]


def reader_of(*lines: str) -> LogReader:
    reader = LogReader()
    reader.feed("".join(f"{line}\n" for line in lines).encode(), 1.0)
    return reader


CAUGHT = {
    "a plugin": logged(PLUGIN, "Failed to load plugin x"),
    "the model registry": logged(PLUGIN, "Error in inspecting model architecture 'X'"),
    "printed by a library": list(MISSING),
}


@pytest.mark.parametrize("caught", CAUGHT.values(), ids=CAUGHT)
@pytest.mark.parametrize("after", [[], [LOADING]], ids=["silence", "loading"])
def test_an_error_that_was_caught_and_logged_is_never_certain(caught: list[str], after: list[str]) -> None:
    assert reader_of(*caught, *after).failure(None) is None


@pytest.mark.parametrize("caught", CAUGHT.values(), ids=CAUGHT)
@pytest.mark.parametrize("progress", [LOADING, RESOLVED], ids=["a later phase", "the same phase"])
def test_what_the_start_has_survived_does_not_explain_a_later_end(caught: list[str], progress: str) -> None:
    failure = reader_of(*caught, progress, KILLED).failure(ExitInfo(code=1))
    assert failure is not None
    assert failure.reason is Reason.ENGINE_CORE_DIED


def test_a_bar_that_moves_is_progress_too() -> None:
    reader = reader_of(*CAUGHT["a plugin"])
    reader.feed(b"Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:02<00:05,  2.57s/it]", 2.0)
    reader.feed(b"\n" + KILLED.encode() + b"\n", 3.0)
    failure = reader.failure(None)
    assert failure is not None
    assert failure.reason is Reason.ENGINE_CORE_DIED


def test_a_silent_download_is_a_guess_and_no_progress() -> None:
    reader = reader_of("(EngineCore pid=7) INFO 11-21 21:44:46 [m.py:1] Starting to load model org/name...")
    reader.feed("".join(f"{line}\n" for line in CAUGHT["a plugin"]).encode(), 2.0)
    reader.feed(KILLED.encode() + b"\n", 9.0)
    failure = reader.failure(None)
    assert failure is not None
    assert failure.reason is Reason.MISSING_DEPENDENCY


DYING = {
    "EngineCore's headline": logged(CORE, "EngineCore failed to start."),
    "a worker's headline": logged(CORE, "WorkerProc failed to start."),
    "a worker's exception": logged(CORE, "WorkerProc hit an exception."),
    "a chain of two": [
        *logged(CORE, "EngineCore failed to start.", (*MISSING[:3], "KeyError: 'x'")),
        *(CORE + line for line in ("", "During handling of the above exception, another exception occurred:", "")),
        *(CORE + line for line in MISSING)],
    "nobody caught it": list(UNCAUGHT),
    "nobody caught it in a child": [
        "Process EngineCore:", MISSING[0], '  File "/x/multiprocessing/process.py", line 314, in _bootstrap',
        *MISSING[2:]],
    "caught, then said by the end of the start": [*CAUGHT["a plugin"], KILLED],
}


@pytest.mark.parametrize("dying", DYING.values(), ids=DYING)
def test_an_engine_that_is_dying_is_certain_to_end_of_it(dying: list[str]) -> None:
    failure = reader_of(*dying).failure(None)
    assert failure is not None
    assert failure.reason is Reason.MISSING_DEPENDENCY


def test_the_progress_of_others_does_not_cure_a_dying_process() -> None:
    failure = reader_of(*DYING["a worker's headline"], RESOLVED, LOADING).failure(None)
    assert failure is not None
    assert failure.reason is Reason.MISSING_DEPENDENCY


def test_an_exception_of_a_thread_does_not_end_its_process() -> None:
    said = ("Exception in thread Thread-1 (x):", MISSING[0], '  File "/x/threading.py", line 1045, in _bootstrap_inner')
    assert reader_of(*said, *MISSING[2:]).failure(None) is None
