"""Writes the tables of docs/sizing.md: what the formulas say of each log beside what the engine said.

`make sizing`. It needs the logs from GPU machines beside the checkout; those of the CPU engine are here.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from deepseekserve import sizing
from tests.logs import recorder
from tests.sizing.fit import fit, judged, left_out
from tests.sizing.logs import GIB, Report, reports, unsized

PAGE = Path(__file__).parents[2] / "docs" / "sizing.md"
BEGIN, END = "<!-- Made by `make sizing`; do not edit. -->\n", "<!-- End of what `make sizing` makes. -->"


def tokens_error(report: Report) -> float | None:
    """(i) in percent: KV tokens from the reported memory against those reported."""
    if not (report.cache and report.tokens):
        return None
    said = sizing.capacity(report.plan.shape, report.plan.setup, int(report.cache * GIB), context=report.context)
    return (said / report.tokens - 1) * 100


def weights_error(report: Report) -> float | None:
    """(ii) in percent: weights of a rank against "Model loading took"."""
    return (weights(report) / report.weights - 1) * 100 if report.weights else None


def weights(report: Report) -> float:
    """GiB that the formulas say of a rank's weights."""
    return sizing.weights_bytes(report.plan.shape, report.plan.form, report.plan.setup) / GIB


def tables() -> str:
    """All that is made."""
    return "\n".join([BEGIN, *_sizes(), "", *_totals(), "", END])


def page() -> str:
    """The page with fresh tables."""
    text = PAGE.read_text(encoding="utf-8")
    return text[:text.index(BEGIN)] + tables() + text[text.index(END) + len(END):]


def _sizes() -> Iterator[str]:
    yield "| log | vLLM | model | ranks | weights said, GiB | predicted | error | KV tokens said | predicted | error |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for report in reports():
        kv_error, tokens = tokens_error(report), ""
        if report.cache and kv_error is not None:
            tokens = f"{round((report.tokens or 0) * (1 + kv_error / 100)):,}"
        yield _row(
            report.name, _short(report.version), report.model, report.plan.setup.tensor, report.weights or "",
            f"{weights(report):.4f}" if report.weights else "", _percent(weights_error(report)),
            f"{report.tokens:,}" if report.tokens else "", tokens, _percent(kv_error))
    yield ""
    yield f"Not sized, as their architecture is in no formula: {', '.join(unsized())}."


def _totals() -> Iterator[str]:
    logs = judged()
    yield f"Fitted: {fit(logs)}. Each error below is with constants that were fitted without that log."
    yield ""
    yield "| log | vLLM | model | GPU memory, GiB | weights and the rest said | error, % of the GPU |"
    yield "|---|---|---|---|---|---|"
    errors = [left_out(report, logs) for report in logs]
    for report, error in zip(logs, errors, strict=True):
        card = f"{report.total:.2f}{'' if report.stated else ' (the card is named beside the log)'}"
        yield _row(report.name, _short(report.version), report.model, card, f"{report.used:.2f}", f"{error:+.2f}")
    yield ""
    yield f"Median of the absolute errors: {median(map(abs, errors)):.2f} %; largest: {max(map(abs, errors)):.2f} %."


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _percent(error: float | None) -> str:
    return "" if error is None else f"{error:+.2f} %"


def _short(version: str) -> str:
    found = re.match(r"[\d.]+\d", version)
    return found[0] if found else version


if __name__ == "__main__":
    if not recorder.GPU_SUCCESSES:
        sys.exit("the logs from GPU machines are not beside the checkout: set DSS_SHARED to the folder that has them")
    PAGE.write_text(page(), encoding="utf-8")
