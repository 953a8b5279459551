"""Turns what a resource asks a device plugin for into the GPU that it gets: a whole one, a slice, or who knows what.

Pure; used by `case` before anything is judged.
"""

import re

from deepseekserve import catalog
from deepseekserve.api import DeepSeekServe
from deepseekserve.catalog import Gpu

WHOLE = "nvidia.com/gpu"
_FIELD = "spec.resources.gpu.resourceName"
# A slice that is called 10gb has 9728 MiB, one of 5gb 4864: NVIDIA's MIG user guide; larger ones have a little more.
_SLICE_PERCENT, _GIB = 95, 1 << 30
_RESOURCE = re.compile(r"nvidia\.com/(mig-\d+g\.(\d{1,4})gb)(?:\.me)?$", re.IGNORECASE)
_LABEL = re.compile(r"(.+)-MIG-\d+g\.(\d{1,4})gb(?:\.me)?$", re.IGNORECASE)
_SHARED = re.compile(r"[-.]SHARED$", re.IGNORECASE)


def device(serve: DeepSeekServe, gpu: Gpu | None, name: str) -> tuple[Gpu | None, str]:
    """The GPU, of which a name may be all that is known, and why its memory is not; empty: it is."""
    resource = serve.spec.resources.gpu.resource_name
    if part := _RESOURCE.match(resource):
        return _slice(f"{gpu.product} {part[1]}" if gpu else part[1], part[2], gpu), ""
    if part := _LABEL.match(name):
        return _slice(name, part[2], catalog.find_gpu(part[1])), ""
    shared = next((said for said in (resource, name) if _SHARED.search(said)), "")
    if shared:
        return gpu, f"{shared} is shared with other pods, and what they leave of its memory is not known"
    if resource != WHOLE:
        return None, f"{_FIELD} is {resource}, and only {WHOLE} and its slices (nvidia.com/mig-...) are known"
    return gpu, ""


def is_slice(serve: DeepSeekServe, name: str) -> bool:
    """Whether the memory is that of a slice, as its name says it."""
    return bool(_RESOURCE.match(serve.spec.resources.gpu.resource_name) or _LABEL.match(name))


def _slice(name: str, gib: str, whole: Gpu | None) -> Gpu:
    return Gpu(name, int(gib) * _GIB * _SLICE_PERCENT // 100, whole.capability if whole else None)
