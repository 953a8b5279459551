"""The verdict on a serving engine: what is read from a real metrics page, and a table of signs."""

from dataclasses import replace
from pathlib import Path

import pytest

from deepseekserve.agent.limits import Limits
from deepseekserve.agent.processes import Process
from deepseekserve.agent.vitals import Load, Signs, cpu_seconds, is_stopped, read_load, unresponsive

PAGE = (Path(__file__).parent / "data" / "vllm-0.32-metrics.txt").read_text()
NOW = 1000.0
STALL_S = 600.0
WELL = Signs(answered_at=NOW - 1, failing_since=None, pending_since=None, proof_at=NOW - 5, stopped=False,
             cpu_share=0.5, asleep=False)
WAITING = replace(WELL, pending_since=NOW - 40, proof_at=NOW - 40)

REFUSED = replace(WELL, refused_since=NOW - 40, complaint="HTTP 500: broken", cpu_share=0.01)


def load(page: str) -> Load:
    found = read_load(page)
    assert found is not None
    return found


def test_a_real_page_of_an_idle_engine_shows_nothing_waiting() -> None:
    assert load(PAGE).requests == 0
    assert not load(PAGE).asleep


def test_running_and_waiting_requests_of_all_engines_are_summed() -> None:
    page = PAGE.replace('vllm:num_requests_running{engine="0",model_name="DeepSeek-R1-Distill-Qwen-1.5B"} 0.0',
                        'vllm:num_requests_running{engine="0",model_name="a} b"} 3.0\nvllm:num_requests_running 2\n'
                        'vllm:num_requests_waiting{engine="1"} 1.0')
    assert load(page).requests == 6


@pytest.mark.parametrize("name", ["prompt_tokens_total", "generation_tokens_total", "kv_cache_usage_perc",
                                  "num_requests_running", "iteration_tokens_total_count"])
def test_the_mark_moves_with_every_sign_of_work(name: str) -> None:
    assert load(PAGE + f'vllm:{name}{{engine="1"}} 7\n').mark != load(PAGE).mark


def test_the_mark_stands_still_when_only_the_server_moves() -> None:
    page = PAGE + 'process_cpu_seconds_total 99\nhttp_requests_total{handler="/"} 1\nvllm:request_success_total 5\n'
    assert load(page).mark == load(PAGE).mark


def test_tokens_are_told_from_other_work() -> None:
    assert load(PAGE + 'vllm:generation_tokens_total{engine="1"} 7\n').tokens == load(PAGE).tokens + 7
    assert load(PAGE + 'vllm:prompt_tokens_total{engine="1"} 7\n').tokens == load(PAGE).tokens


def test_sleep_mode_is_seen() -> None:
    assert load(PAGE.replace('sleep_state="awake"} 1.0', 'sleep_state="awake"} 0.0')).asleep


@pytest.mark.parametrize("page", ["", "nonsense\n{}{}\n", "vllm:prompt_tokens_total 5\n", "\x00\xff"])
def test_a_page_without_the_queue_is_no_load(page: str) -> None:
    assert read_load(page) is None


def test_a_value_that_is_no_number_counts_as_zero() -> None:
    assert load("vllm:num_requests_running{} x\n").requests == 0


@pytest.mark.parametrize(("signs", "words"), [
    (WELL, None),
    (replace(WELL, answered_at=NOW - 29), None),
    (replace(WELL, answered_at=NOW - 30), "answered no HTTP request for 30 seconds"),
    (replace(WELL, failing_since=NOW - 29), None),
    (replace(WELL, failing_since=NOW - 31), "health check has failed for 31 seconds"),
    (replace(WELL, stopped=True), None),
    (replace(WAITING, stopped=True), "is stopped (SIGSTOP)"),
    (replace(WAITING, stopped=True, proof_at=NOW - 10), None),
    (replace(WAITING, stopped=True, pending_since=NOW - 10, proof_at=0), None),
    (replace(WAITING, cpu_share=0.01), "do not compute"),
    (replace(WAITING, cpu_share=0.01, asleep=True), None),
    (replace(WAITING, cpu_share=None), None),
    (replace(WAITING, cpu_share=0.9), None),
    (replace(WAITING, cpu_share=0.9, pending_since=NOW - 599, proof_at=0), None),
    (replace(WAITING, cpu_share=0.9, pending_since=NOW - 600, proof_at=0), "although the engine computes"),
    (replace(WAITING, cpu_share=0.01, proof_at=NOW - 1), None),
    (replace(REFUSED, refused_since=NOW - 29), None),
    (REFUSED, "no completion has succeeded for 40 seconds (HTTP 500: broken), and the engine's processes do not"),
    (replace(REFUSED, stopped=True), "is stopped (SIGSTOP)"),
    (replace(REFUSED, asleep=True), None),
    (replace(REFUSED, cpu_share=0.9), None),
    (replace(REFUSED, cpu_share=0.9, refused_since=NOW - 600), "although the engine computes"),
    (replace(REFUSED, pending_since=NOW - 50, proof_at=0), "requests have waited for 50 seconds"),
])
def test_an_engine_is_unresponsive(signs: Signs, words: str | None) -> None:
    said = unresponsive(signs, NOW, Limits().unresponsive_s, STALL_S)
    assert (said is None) if words is None else (said is not None and words in said)


def process(state: str, cpu_s: float = 1.0) -> Process:
    return Process(pid=2, parent=1, state=state, cpu_s=cpu_s)


def test_a_stopped_process_is_seen_among_others() -> None:
    assert is_stopped([process("S"), process("T")])
    assert not is_stopped([process("S"), process("R"), process("t")])


def test_cpu_time_is_summed_unless_a_process_waits_for_a_device() -> None:
    assert cpu_seconds([process("R", 2.0), process("S", 3.5)]) == 5.5
    assert cpu_seconds([process("R", 2.0), process("D", 3.5)]) is None
    assert cpu_seconds([]) == 0
