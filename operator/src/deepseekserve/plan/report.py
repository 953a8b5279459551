"""Turns verdicts into the JSON that docs/plan.md describes. Pure; names and meanings are kept from release to release.

A key whose value is not known is left out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from deepseekserve import engine, fits
from deepseekserve.facts import Fix

VERSION = 1
WARN = "Warn"
FITS, REFUSED, BAD_INPUT, UNKNOWN = 0, 1, 2, 3
_CODES = {"True": FITS, "False": REFUSED, "Unknown": UNKNOWN}


def document(plans: Iterable[Mapping[str, Any]], admission: str) -> dict[str, Any]:
    """All plans, and the exit code that they make."""
    found = list(plans)
    return {"version": VERSION, "admission": admission, "exitCode": exit_code(found, admission), "plans": found}


def exit_code(plans: Iterable[Mapping[str, Any]], admission: str) -> int:
    """The worst that one of them has: bad input, then refused, then unknown; a refusal only warns where it may."""
    refused = FITS if admission == WARN else REFUSED
    known = {**_CODES, "False": refused}
    codes = {BAD_INPUT if "error" in plan else known[plan["fits"]] for plan in plans}
    return next(code for code in (BAD_INPUT, REFUSED, UNKNOWN, FITS) if code in codes)


def plan(place: str, verdict: fits.Verdict) -> dict[str, Any]:
    """One resource and its verdict."""
    case = verdict.case
    return {
        "file": place,
        "name": case.serve.metadata.name,
        "namespace": case.serve.metadata.namespace,
        "fits": verdict.fits,
        "message": verdict.message,
        "refusals": [{"reason": finding.reason.value, "message": finding.message, "fixes": _fixes(finding.fixes)}
                     for finding in verdict.refusals],
        "fixes": _fixes(verdict.fixes),
        "remedies": [{"fixes": _fixes(remedy.fixes)} for remedy in verdict.remedies],
        "warnings": list(verdict.warnings),
        "missing": list(verdict.missing),
        "model": _known({
            "source": case.serve.spec.model.source, "config": case.known.origin,
            "weightFilesBytes": case.known.weights_bytes, "quantization": case.method or case.flag or "None",
            "architecture": case.plan.shape.architecture if case.plan else None,
            "contextTokens": case.plan.shape.context if case.plan else None,
        }),
        "gpu": _gpu(case),
        "sizing": _sizing(case),
        "arguments": engine.argv(case.serve),
    }


def failed(place: str, name: str, problem: str) -> dict[str, Any]:
    """A file or a resource that cannot be planned."""
    return {"file": place, "name": name, "error": problem}


def _fixes(fixes: Iterable[Fix]) -> list[dict[str, str]]:
    return [{"field": fix.field, "value": fix.value, "why": fix.why} for fix in fixes]


def _gpu(case: fits.Case) -> dict[str, Any]:
    gpu = case.known.gpu
    if gpu is None:
        return {}
    return _known({
        "product": gpu.product, "memoryBytes": gpu.memory_bytes,
        "computeCapability": None if gpu.capability is None else gpu.capability_text,
    })


def _sizing(case: fits.Case) -> dict[str, Any]:
    found, plan_ = case.sizing, case.plan
    if found is None or plan_ is None:
        return {}
    return _known({
        "tensorParallelSize": plan_.setup.tensor, "pipelineParallelSize": plan_.setup.pipeline,
        "dtype": plan_.setup.dtype, "maxModelLen": found.context, "maxNumSeqs": plan_.setup.sequences,
        "maxNumBatchedTokens": plan_.setup.batched_tokens,
        "weightsBytes": found.weights, "activationsBytes": found.activations, "graphsBytes": found.graphs,
        "otherBytes": found.other, "overheadBytes": found.overhead, "kvCacheBytesPerToken": found.token,
        "kvCacheBytesPerRequest": found.request,
        "kvCacheBytesAvailable": found.cache if case.has_limit else None,
        "kvCacheTokens": found.tokens if case.has_limit else None,
        "largestContext": found.largest if case.has_limit else None,
        "neededBytes": found.needs, "budgetBytes": found.budget if case.room else None,
    })


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "")}
