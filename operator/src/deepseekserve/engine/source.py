"""Turns `spec.model.source` into what the engine is told to load, and the claim that must be mounted for it.

Pure; used by engine.arguments and render.pod. api.py has already held the text to its pattern.
"""

from dataclasses import dataclass

from deepseekserve import names
from deepseekserve.api import InvalidSpec

CLAIM_SCHEME = "pvc://"
HUB_SCHEME = "hf://"


@dataclass(frozen=True)
class Source:
    """Where the weights are: a folder of a claim, or a repository of the Hugging Face hub."""

    argument: str                  # what `vllm serve` is given: a path or a repository
    default_name: str              # what the model is called when spec.model.servedNames is empty
    claim: str | None = None
    revision: str | None = None


def parse_source(text: str) -> Source:
    """Read a source; raises InvalidSpec for what no pattern can exclude."""
    if text.startswith(CLAIM_SCHEME):
        return _claim(text)
    if text.startswith(HUB_SCHEME):
        repository, _, revision = text.removeprefix(HUB_SCHEME).partition("@")
        return Source(repository, default_name=repository.rsplit("/", 1)[-1], revision=revision or None)
    raise InvalidSpec(f"spec.model.source {text!r}: write hf://repository[@revision] or pvc://claim/path")


def _claim(text: str) -> Source:
    parts = [part for part in text.removeprefix(CLAIM_SCHEME).split("/") if part]
    if not parts:
        raise InvalidSpec(f"spec.model.source {text!r}: write the claim's name, and the folder in it: pvc://claim/path")
    claim, *folders = parts
    if ".." in folders:
        raise InvalidSpec(f"spec.model.source {text!r}: .. would leave the claim; write the path from the claim's root")
    return Source("/".join([names.MODEL_MOUNT, *folders]), default_name=[claim, *folders][-1], claim=claim)
