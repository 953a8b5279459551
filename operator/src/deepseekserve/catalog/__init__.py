"""Turns a model's source, a GPU's label or a quantization's name into what is known of it: figures with their origin.

Pure: tables that come with the operator. What is not in them is None, which is no verdict: sizing then has to be told.
"""

from deepseekserve.catalog.gpus import BFLOAT16_CAPABILITY, GPUS, Gpu, capability_text, find_gpu, gpus_like
from deepseekserve.catalog.models import MODELS, CatalogModel, find_model, siblings
from deepseekserve.catalog.quantization import ENGINE, METHODS, VALUES, Method

__all__ = [
    "BFLOAT16_CAPABILITY", "ENGINE", "GPUS", "METHODS", "MODELS", "VALUES", "CatalogModel", "Gpu", "Method",
    "capability_text", "find_gpu", "find_model", "gpus_like", "siblings",
]
