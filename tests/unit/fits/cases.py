"""Resources beside what is known of their model and GPU, for the tests of fits and plan."""

from typing import Any

from deepseekserve import api, catalog, fits

R1 = "hf://deepseek-ai/DeepSeek-R1"
DISTILL = "hf://deepseek-ai/DeepSeek-R1-Distill-"


def serve(source: str, **spec: Any) -> api.DeepSeekServe:
    metadata = {"name": "r1", "namespace": "models", "uid": "any"}
    return api.parse({"metadata": metadata, "spec": {"model": {"source": source}, **spec}})


def known(source: str, gpu: str | None) -> fits.Known:
    model = catalog.find_model(source)
    return fits.Known(
        model.config if model else None, weights_bytes=model.weights_bytes if model else None,
        gpu=catalog.find_gpu(gpu) if gpu else None)


def judged(source: str, gpu: str | None = None, **spec: Any) -> fits.Verdict:
    return fits.judge(serve(source, **spec), known(source, gpu))


def mended(source: str, gpu: str | None = None, **spec: Any) -> fits.Verdict:
    """The verdict on the resource with all fixes of its first verdict applied."""
    first = judged(source, gpu, **spec)
    edited = fits.edited(serve(source, **spec), first.fixes)
    return fits.judge(edited, known(edited.spec.model.source, fits.product(edited) or gpu))


def offers(verdict: fits.Verdict) -> list[tuple[str, str]]:
    return [(fix.field.removeprefix("spec."), fix.value) for fix in verdict.fixes]


def reasons(verdict: fits.Verdict) -> list[str]:
    return [finding.reason.value for finding in verdict.refusals]
