"""All that is known about vLLM: its arguments, its environment, and what a user may not say twice.

Pure; render builds the pod from it. `check` stands before: what it refuses is InvalidSpec, and nothing is rendered.
"""

from deepseekserve.api import DeepSeekServe
from deepseekserve.engine.arguments import (
    AUTO,
    CPU,
    DTYPE,
    MEMORY_UTILIZATION_PERCENT,
    PLAIN,
    QUANTIZATION,
    Quantization,
    argv,
    escape,
    gpu_count,
    kv_cache_bytes,
    served_names,
    tensor_size,
)
from deepseekserve.engine.environment import (
    OWNED_ENV,
    check_environment,
    environment,
    environment_problem,
    is_offline,
)
from deepseekserve.engine.flags import OWNED_FLAGS, RESERVED_FLAGS, check_arguments
from deepseekserve.engine.reading import as_json, value_of
from deepseekserve.engine.source import Source, parse_source

__all__ = [
    "AUTO", "CPU", "DTYPE", "MEMORY_UTILIZATION_PERCENT", "OWNED_ENV", "OWNED_FLAGS", "PLAIN", "QUANTIZATION",
    "RESERVED_FLAGS", "Quantization", "Source", "argv", "as_json", "check", "environment", "environment_problem",
    "escape", "gpu_count", "is_offline", "kv_cache_bytes", "parse_source", "served_names", "tensor_size", "value_of",
]


def check(serve: DeepSeekServe) -> None:
    """Raise InvalidSpec, with the field and the next step, for what the CRD's rules cannot see."""
    check_arguments(serve.spec.engine.extra_args)
    check_environment(serve)
    argv(serve)
