"""Runs `deepseekserve plan`: options, documents and facts in, verdicts out, and the exit code.

The entrance of the flow of plan, and the only module of it that writes.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from deepseekserve import fits
from deepseekserve.plan import documents, explain, facts, manifests, options, report, text
from deepseekserve.plan.documents import Found
from deepseekserve.plan.options import Options


def main(arguments: Sequence[str] | None = None) -> int:
    """Plan; 0 fits, 1 refused, 2 bad input, 3 unknown."""
    chosen = options.parse(sys.argv[2:] if arguments is None else arguments)
    plans = []
    for plan, page in _plans(chosen):
        plans.append(plan)
        if chosen.output == "text":
            sys.stdout.write(text.page(plan, chosen.admission))
        sys.stdout.write(page)
    if chosen.output == "json":
        sys.stdout.write(json.dumps(report.document(plans, chosen.admission), indent=2) + "\n")
    return report.exit_code(plans, chosen.admission)


def _plans(chosen: Options) -> Iterator[tuple[dict[str, Any], str]]:
    """Each plan, and what is printed with it."""
    for found in documents.read(chosen.files):
        try:
            yield _judged(found, chosen)
        except facts.BadInputError as error:
            yield _failed(found, str(error), chosen)


def _judged(found: Found, chosen: Options) -> tuple[dict[str, Any], str]:
    if found.serve is None:
        return _failed(found, found.problem, chosen)
    verdict = fits.judge(found.serve, facts.known(found.serve, chosen))
    page = ""
    if chosen.output == "yaml":
        page = manifests.to_yaml(f"{found.place}: {found.name}: fits {verdict.fits}: {verdict.message}", found.serve)
    elif chosen.output == "text" and chosen.explain:
        page = explain.page(verdict)
    return report.plan(found.place, verdict), page


def _failed(found: Found, problem: str, chosen: Options) -> tuple[dict[str, Any], str]:
    page = manifests.comment(f"{found.place}: {problem}") if chosen.output == "yaml" else ""
    return report.failed(found.place, found.name, problem), page
