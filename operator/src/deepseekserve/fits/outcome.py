"""Turns a resource into what the catalogue knows of its model and GPU, and a verdict into the Fit that a status shows.

Pure; the two ends of fits on the operator's side.
"""

from dataclasses import replace

from deepseekserve import catalog
from deepseekserve.api import DeepSeekServe
from deepseekserve.facts import Amounts, Finding, Fit, Reading
from deepseekserve.fits.asked import product
from deepseekserve.fits.case import Case, Known
from deepseekserve.fits.verdict import Verdict
from deepseekserve.reader.summary import Summary

_MOST_WAYS = 3


def known_of(serve: DeepSeekServe, reading: Reading | None = None) -> Known:
    """What the catalogue knows of the GPU that the node selector names and of the model, or what was read of it."""
    name = product(serve) or ""
    gpu, model = catalog.find_gpu(name), catalog.find_model(serve.spec.model.source)
    if model:
        return replace(catalogued(model), gpu=gpu, gpu_name=name)
    return replace(_read(reading), origin=serve.spec.model.source, gpu=gpu, gpu_name=name)


def catalogued(model: catalog.CatalogModel) -> Known:
    """What the catalogue knows of one of its models."""
    return Known(model.config, f"the catalogue: {model.id}, {model.confidence}", model.weights_bytes)


def summarised(found: Summary) -> Known:
    """What the reader has found out about a model."""
    if found.config is None:
        return Known(unread=found.message)
    return Known(found.config, weights_bytes=found.weights.bytes if found.weights else None)


def _read(reading: Reading | None) -> Known:
    if reading is None or reading.summary is None:
        return Known(unread=reading.why if reading else "")
    return summarised(reading.summary)


def fit_of(verdict: Verdict) -> Fit:
    """What a status shows of a verdict."""
    finding = None
    if verdict.refusals:
        least = verdict.remedies[0].fixes if verdict.remedies else ()
        finding = Finding(verdict.refusals[0].reason, verdict.message, _remedy(verdict), least)
    return Fit(verdict.fits, verdict.message, finding, _amounts(verdict.case), warnings=verdict.warnings)


def _remedy(verdict: Verdict) -> str:
    """The least edits, and those that would do in their place."""
    ways = [" and ".join(f"{fix.field} to {fix.value}" for fix in remedy.fixes) for remedy in verdict.remedies]
    steps = f"Set {'; or '.join(ways[:_MOST_WAYS])}" if ways else "Choose another model or other nodes"
    return f"{steps}; to start it all the same, set spec.rollout.admission to Warn."


def _amounts(case: Case) -> Amounts | None:
    found = case.sizing
    return None if found is None else Amounts(
        found.weights, found.token, found.overhead, found.budget if case.room else None, found.context,
        found.tokens if case.has_limit else None)
