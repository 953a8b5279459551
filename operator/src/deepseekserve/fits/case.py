"""Turns a resource and what is known of its model and GPU into one value: what the checks look at.

Pure. `edited` applies fixes to a resource, and `mended` to a case, which is how each is tried before it is offered.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from deepseekserve import catalog, engine, sizing
from deepseekserve.api import DeepSeekServe, InvalidSpec, parse_spec
from deepseekserve.catalog import Gpu
from deepseekserve.facts import Fix
from deepseekserve.fits import asked, hardware

MODEL_SOURCE, NODE_SELECTOR = "spec.model.source", "spec.scheduling.nodeSelector"


@dataclass(frozen=True)
class Known:
    """What is known of the model and of the GPU; None: not."""

    config: Mapping[str, Any] | None = None
    origin: str = ""                   # of the config
    weights_bytes: int | None = None   # of all files together
    gpu: Gpu | None = None
    unread: str = ""                   # why there is no config
    gpu_name: str = ""                 # as it was asked for, which says more where it is shared or a slice


@dataclass(frozen=True)
class Case:
    """A resource beside what is known, and what follows from both; `plan` is None where `problem` says why."""

    serve: DeepSeekServe
    known: Known
    room: sizing.Room | None
    plan: sizing.Plan | None = None
    context: int = 0
    problem: str = ""
    unclear: str = ""                  # why the memory of the device is not known, though its name may be
    decided: "Decision | None" = None  # how each Auto became the number that stands in `serve`

    @property
    def on_gpu(self) -> bool:
        """Whether the engine computes on GPUs."""
        return self.serve.spec.engine.device != engine.CPU

    @property
    def ranks(self) -> int:
        """Devices that share the model."""
        return engine.tensor_size(self.serve) * self.serve.spec.resources.parallelism.pipeline

    @property
    def flag(self) -> str | None:
        """The quantization that is asked for, as the engine calls it."""
        row = engine.QUANTIZATION.get(self.serve.spec.engine.quantization)
        return row.flag if row else None

    @property
    def method(self) -> str | None:
        """The quantization of the checkpoint."""
        return sizing.method_of(self.known.config) if self.known.config is not None else None

    @property
    def has_limit(self) -> bool:
        """Whether the memory is known, or at least that of the cache."""
        return self.room is not None or engine.kv_cache_bytes(self.serve) is not None

    @cached_property
    def sizing(self) -> sizing.Sizing | None:
        """The sum; against no memory at all where the GPU is not known."""
        cache = engine.kv_cache_bytes(self.serve)
        return sizing.size(self.plan, self.room or sizing.Room(0, cache=cache), self.context) if self.plan else None


@dataclass(frozen=True)
class Decision:
    """A resource as its user wrote it, and what makes a number of each Auto in it: an edit may lead to another one."""

    asked: DeepSeekServe
    decide: Callable[[DeepSeekServe, Known], DeepSeekServe]

    def case(self, serve: DeepSeekServe, known: Known) -> Case:
        """The case of an edited resource."""
        return replace(case_of(self.decide(serve, known), known), decided=replace(self, asked=serve))


def case_of(serve: DeepSeekServe, known: Known) -> Case:
    """Put it all side by side; raises InvalidSpec where the resource contradicts itself."""
    gpu, unclear = (None, "")
    if serve.spec.engine.device != engine.CPU:
        gpu, unclear = hardware.device(serve, known.gpu, known.gpu_name)
    known = replace(known, gpu=gpu)
    case = Case(serve, known, None if unclear else asked.room(serve, gpu), unclear=unclear)
    if known.config is None:
        why = f": {known.unread}" if known.unread else ""
        return replace(case, problem=f"the model's config.json is not known{why}")
    try:
        shape = sizing.read_shape(known.config)
        form = sizing.read_format(known.config, case.flag)
    except (sizing.DamagedConfigError, sizing.NotSizedError) as error:
        return replace(case, problem=str(error))
    setup = asked.setup(serve, shape, form, known.gpu)
    return replace(case, plan=sizing.Plan(shape, form, setup), context=asked.context(serve, shape))


def edited(serve: DeepSeekServe, fixes: Iterable[Fix]) -> DeepSeekServe:
    """The resource with these fixes applied; raises InvalidSpec for one that its fields do not take."""
    spec = serve.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    for fix in fixes:
        *path, last = fix.field.split(".")[1:]
        part = spec
        for name in path:
            part = part.setdefault(name, {})
        part[last] = _value(fix.value)
    return replace(serve, spec=parse_spec(spec))


def mended(case: Case, fixes: Iterable[Fix]) -> Case | None:
    """The case with these fixes applied, and what is known of the model and the GPU that they name; None: refused."""
    known, chosen, decision = case.known, list(fixes), case.decided
    try:
        serve = edited(decision.asked if decision else case.serve, chosen)
        for fix in chosen:
            if fix.field == MODEL_SOURCE and (copy := catalog.find_model(fix.value)):
                known = replace(known, config=copy.config, weights_bytes=copy.weights_bytes)
            if fix.field == NODE_SELECTOR:
                name = asked.product(serve) or ""
                known = replace(known, gpu=catalog.find_gpu(name), gpu_name=name)
        return decision.case(serve, known) if decision else case_of(serve, known)
    except InvalidSpec:
        return None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
