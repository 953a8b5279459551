"""Turns a repository of the hub into a Place, so that it is summarised as a folder is.

One request says which files there are and how large they are; after that a request for each small file, and for the
headers of a few weight files: of many, the hub itself has counted the numbers.
"""

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from huggingface_hub import HfApi, ModelInfo, get_session, hf_hub_url
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from deepseekserve.hub import bounds
from deepseekserve.hub.answers import outcomes, shown
from deepseekserve.reader import checkpoint, headers
from deepseekserve.reader.summary import Outcome, Summary, Unreadable, sentence

FEW_FILES = 4
_BITS = {"F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "U16": 16,
         "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "I8": 8, "U8": 8, "BOOL": 8, "F4": 4}


def read(endpoint: str, token: str | None, repository: str, revision: str | None, *, seconds: float) -> Summary:
    """Summarise a repository in so many seconds; whatever is wrong is an outcome. Blocks."""
    try:
        with bounds.limited(seconds):
            return checkpoint.summarise(Repository(endpoint, token, repository, revision))
    except Unreadable as error:
        return Summary(error.outcome, str(error))


class Repository:
    """One revision of a repository; raises Unreadable."""

    def __init__(self, endpoint: str, token: str | None, repository: str, revision: str | None) -> None:
        self._endpoint, self._id = endpoint.rstrip("/"), repository
        self._token: str | bool = token or False          # never one that lies in a home directory
        self._told = partial(outcomes, shown(endpoint), repository, revision)
        self._api = HfApi(endpoint=self._endpoint, token=self._token)
        with self._told(repository):
            info = self._api.model_info(
                repository, revision=revision, files_metadata=True, timeout=bounds.seconds_left())
            self.key = sentence(str(info.sha or ""))
            self.sizes: Mapping[str, int] = _sizes(info)
            self._counted = _counted(info)
        self._commit = self.key or revision
        self.names: Collection[str] = self.sizes.keys()

    def read(self, name: str, most: int) -> bytes:
        """A file's content."""
        if self.sizes[name] > most:
            raise Unreadable(Outcome.TOO_LARGE, f"{name} has {self.sizes[name]} bytes: that is none of a model")
        with self._asking(name):
            url = hf_hub_url(self._id, name, revision=self._commit, endpoint=self._endpoint)
            answer = get_session().get(url, headers=build_hf_headers(token=self._token), timeout=bounds.seconds_left())
            hf_raise_for_status(answer)
            return answer.content

    def tensors(self, names: Collection[str]) -> Mapping[str, int]:
        """Bytes by number format, from the headers where they are few."""
        if len(names) > FEW_FILES:
            return self._counted
        total: dict[str, int] = {}
        for name in names:
            with self._asking(name):
                found = self._api.parse_safetensors_file_metadata(
                    self._id, name, revision=self._commit, timeout=bounds.seconds_left())
                tensors: dict[str, object] = {key: vars(tensor) for key, tensor in found.tensors.items()}
            headers.add(name, tensors, None, total)
        return total

    def elsewhere(self) -> Collection[str]:
        """Folders of the repository with a config.json."""
        end = f"/{checkpoint.CONFIG}"
        return [name.removesuffix(end) for name in self.names if name.endswith(end)]

    def _asking(self, name: str) -> AbstractContextManager[None]:
        return self._told(name)


def _sizes(info: ModelInfo) -> dict[str, int]:
    return {str(file.rfilename): file.size if isinstance(file.size, int) else 0 for file in info.siblings or ()}


def _counted(info: ModelInfo) -> dict[str, int]:
    """The hub's own count of numbers by format, in bytes."""
    found: Any = getattr(info.safetensors, "parameters", None)
    return {name: count * _BITS[name] // 8 for name, count in (found or {}).items()
            if name in _BITS and type(count) is int and count > 0}
