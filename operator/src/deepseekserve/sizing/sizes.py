"""Turns a shape, a format, a setup and a GPU's memory into the terms of a verdict: what is needed, what there is.

Pure, integers in bytes; the last step of sizing.
"""

from dataclasses import dataclass, replace

from deepseekserve.sizing.cache import capacity, largest_context, request_bytes, token_bytes
from deepseekserve.sizing.formats import Format
from deepseekserve.sizing.setup import Setup
from deepseekserve.sizing.shape import Shape
from deepseekserve.sizing.weights import indivisible, weights_bytes
from deepseekserve.sizing.working import activation_bytes, graph_bytes, other_bytes

MOST_RANKS = 64
MARGIN_PERCENT = 3                 # of the GPU: more than any error that logs have shown (docs/sizing.md)


@dataclass(frozen=True)
class Room:
    """The memory of one device: what CUDA reports, the percentage that may be used, and a cache of fixed size."""

    total: int
    percent: int = 90
    cache: int | None = None

    @property
    def budget(self) -> int:
        """What the engine may use; it does not ask for the percentage when the cache has a size."""
        return self.total if self.cache is not None else -(-self.total * self.percent // 100)

    @property
    def margin(self) -> int:
        """By how much a prediction may be wrong."""
        return self.total * MARGIN_PERCENT // 100


@dataclass(frozen=True)
class Sizing:
    """The terms, per rank."""

    context: int
    weights: int
    activations: int
    graphs: int
    other: int
    token: int                         # of cache, for one token
    request: int                       # of cache, for one request of the context
    budget: int
    cache: int                         # what is left for the cache, or its fixed size; negative: less than nothing
    held: int                          # of cache, that must be there: one request, or the fixed size
    tokens: int                        # that the cache holds
    largest: int                       # context that fits

    @property
    def overhead(self) -> int:
        """All but weights and cache."""
        return self.activations + self.graphs + self.other

    @property
    def needs(self) -> int:
        """What must be there to serve one request of the context."""
        return self.weights + self.overhead + self.held

    @property
    def fits(self) -> bool:
        """Whether it is there, by the sum alone."""
        return self.request <= self.cache and self.needs <= self.budget


@dataclass(frozen=True)
class Plan:
    """A model as it is to run."""

    shape: Shape
    form: Format | None
    setup: Setup


def size(plan: Plan, room: Room, context: int) -> Sizing:
    """Add it all up."""
    shape, setup = plan.shape, plan.setup
    weights = weights_bytes(shape, plan.form, setup)
    activations, graphs, other = activation_bytes(shape, setup), graph_bytes(shape, setup), other_bytes(setup)
    left = room.budget - weights - activations - graphs - other
    cache = left if room.cache is None else room.cache
    request = request_bytes(shape, setup, context)
    return Sizing(
        context=context, weights=weights, activations=activations, graphs=graphs, other=other,
        token=token_bytes(shape, setup), request=request, budget=room.budget, cache=cache,
        held=request if room.cache is None else cache, tokens=capacity(shape, setup, cache, context=context),
        largest=largest_context(shape, setup, cache),
    )


def smallest_tensor(plan: Plan, room: Room, context: int) -> int | None:
    """The fewest ranks that the model can be divided by and that hold it with a request of the context."""
    for tensor in range(1, MOST_RANKS + 1):
        setup = replace(plan.setup, tensor=tensor)
        if not indivisible(plan.shape, plan.form, setup) and size(replace(plan, setup=setup), room, context).fits:
            return tensor
    return None
