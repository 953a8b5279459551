"""Predictions against what engines reported on real machines; docs/sizing.md is the table of it."""

from statistics import median
from typing import Any

import pytest

from deepseekserve import fits, sizing
from deepseekserve.catalog import Gpu, find_gpu, find_model
from deepseekserve.sizing import working
from tests.logs import recorder
from tests.sizing import __main__ as table
from tests.sizing.fit import fit, judged, left_out
from tests.sizing.logs import GIB, Report, reports
from tests.unit.fits.cases import serve

TOKENS_PERCENT, WEIGHTS_PERCENT, USED_PERCENT = 1, 2, 5
LOGS = list(reports())
on_gpus = pytest.mark.skipif(not recorder.GPU_SUCCESSES, reason="no logs from GPU machines beside the checkout")


@pytest.mark.parametrize("report", LOGS, ids=lambda report: report.name)
def test_kv_tokens_follow_from_the_memory_that_the_engine_reports(report: Report) -> None:
    error = table.tokens_error(report)
    assert error is None or abs(error) < TOKENS_PERCENT


@pytest.mark.parametrize("report", LOGS, ids=lambda report: report.name)
def test_weights_of_a_rank_are_those_that_the_engine_reports(report: Report) -> None:
    error = table.weights_error(report)
    assert error is None or abs(error) < WEIGHTS_PERCENT


@on_gpus
def test_what_is_used_is_predicted_by_constants_that_did_not_see_the_log() -> None:
    logs = judged()
    errors = [abs(left_out(report, logs)) for report in logs]
    assert median(errors) < USED_PERCENT
    assert max(errors) < sizing.MARGIN_PERCENT


@on_gpus
def test_the_constants_that_are_fitted_are_those_that_the_logs_give() -> None:
    assert fit(judged()) == (
        working.SORTING_COPIES, working.OTHER_BYTES_BEFORE // working.MIB, working.OTHER_BYTES // working.MIB)


@pytest.mark.parametrize("report", LOGS, ids=lambda report: report.name)
def test_a_start_that_succeeded_would_not_have_been_refused(report: Report) -> None:
    found = judged_as_resource(report)
    assert found.fits != "False", found.message


@pytest.mark.parametrize("report", [r for r in LOGS if r.total], ids=lambda report: report.name)
def test_a_card_of_a_known_size_leaves_no_start_without_a_sum(report: Report) -> None:
    found = judged_as_resource(report)
    assert found.case.sizing
    assert found.case.sizing.budget > 0


@pytest.mark.parametrize(("log", "reason", "source", "gpu", "spec"), [
    ("001", "DoesNotFit", "DeepSeek-R1-Distill-Qwen-14B", Gpu("RTX 5080", int(15.47 * GIB), 120),
     {"engine": {"maxModelLen": 24576}}),
    ("091", "ContextTooLong", "DeepSeek-R1-Distill-Qwen-7B", find_gpu("A10G"), {"engine": {"maxModelLen": 131073}}),
    ("092", "NotEnoughDevices", "DeepSeek-R1-Distill-Qwen-7B", find_gpu("A10G"),
     {"engine": {"maxModelLen": 4096}, "resources": {"parallelism": {"tensor": 2}}}),
    ("103", "QuantizationMismatch", "DeepSeek-R1-Distill-Qwen-7B-quantized.w4a16", find_gpu("T4"),
     {"engine": {"quantization": "AWQ", "maxModelLen": 4096}}),
    ("106", "DtypeUnsupported", "DeepSeek-R1-Distill-Qwen-1.5B", find_gpu("T4"),
     {"engine": {"dtype": "BFloat16", "maxModelLen": 4096}}),
    ("108", "QuantizationUnsupported", "DeepSeek-R1-Distill-Qwen-1.5B", find_gpu("GTX-1660-SUPER"),
     {"engine": {"kvCacheDtype": "FP8", "maxModelLen": 1024}}),
    ("109", "TensorParallelIndivisible", "DeepSeek-R1-Distill-Llama-8B", None, {"resources": {"gpu": {"count": 3}}}),
])
def test_a_start_that_failed_as_a_log_shows_it_would_have_been_refused(
    log: str, reason: str, source: str, gpu: Gpu | None, spec: dict[str, Any],
) -> None:
    model = find_model(f"pvc://models/{source}")
    found = fits.judge(serve(f"pvc://models/{source}", **spec), fits.Known(model.config if model else None, gpu=gpu))
    assert reason in [refusal.reason.value for refusal in found.refusals]


def judged_as_resource(report: Report) -> fits.Verdict:
    """The verdict on a resource that says what the log says."""
    setup, card = report.plan.setup, report.card
    engine: dict[str, Any] = {
        "image": f"vllm/vllm-openai:v{_release(report.version)}", "maxModelLen": report.context,
        "maxNumSeqs": setup.sequences, "maxNumBatchedTokens": setup.batched_tokens, "enforceEager": not setup.graphs,
        "kvCacheDtype": "FP8" if setup.cache_bytes == 1 else "Auto",
        "dtype": {"float16": "Float16", "bfloat16": "BFloat16"}[setup.dtype],
    }
    if setup.on_gpu:
        resources: dict[str, Any] = {"gpu": {"count": setup.tensor}}
        engine["memoryUtilizationPercent"] = report.percent
    else:
        resources, engine = {}, {**engine, "device": "CPU", "kvCacheMemory": str(int((report.cache or 0) * GIB))}
    asked = serve(f"pvc://models/{report.name}", engine=engine, resources=resources)
    if report.total:
        card = Gpu(card.product if card else "card", int(report.total * GIB), card.capability if card else None)
    return fits.judge(asked, fits.Known(report.config, gpu=card))


def _release(version: str) -> str:
    """0.14.0rc1.dev2+g7d9f6663a as the tag of an image says it."""
    return ".".join(version.split(".")[:2])


@on_gpus
def test_the_page_has_the_tables_that_the_logs_give() -> None:
    assert table.PAGE.read_text() == table.page(), "run `make sizing`"
