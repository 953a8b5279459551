"""Turns a resource and the options into what is known of its model and GPU, and says where that comes from.

A folder that is named goes before the catalogue; a GPU that is named before the one that the resource asks for.
"""

from dataclasses import replace

from deepseekserve import catalog, fits
from deepseekserve.api import DeepSeekServe
from deepseekserve.fits import Known
from deepseekserve.plan.options import MOST_BYTES, Options
from deepseekserve.quantity import parse_quantity
from deepseekserve.reader import folder
from deepseekserve.reader.summary import Outcome

LEAST_GPU_BYTES = 1 << 30            # a smaller number is a product's (4090)
# Whoever plans needs not have the weights: an index says how large they are.
_ENOUGH = (Outcome.READ, Outcome.MISSING_FILES)


class BadInputError(Exception):
    """An option names something that cannot be read; the text says what."""


def known(serve: DeepSeekServe, options: Options) -> Known:
    """What is known; raises BadInputError."""
    name = options.gpu or fits.product(serve) or ""
    return replace(_model(serve.spec.model.source, options), gpu=_gpu(name), gpu_name=name)


def _model(source: str, options: Options) -> Known:
    size = options.weights_bytes
    if options.model_config:
        found = folder.read(options.model_config)
        if found.config is None or found.outcome not in _ENOUGH:
            raise BadInputError(f"{options.model_config}: {found.message}")
        known = replace(fits.summarised(found), origin=options.model_config)
    else:
        model = catalog.find_model(source)
        known = fits.catalogued(model) if model else Known()
    return replace(known, weights_bytes=size or known.weights_bytes)


def _gpu(name: str) -> catalog.Gpu | None:
    """By its name, else by its memory."""
    if found := catalog.find_gpu(name):
        return found
    try:
        memory = int(parse_quantity(name))
    except ValueError:
        return None
    return catalog.Gpu(name, memory) if LEAST_GPU_BYTES <= memory <= MOST_BYTES else None
