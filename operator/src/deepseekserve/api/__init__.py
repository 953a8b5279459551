"""The DeepSeekServe resource, and the only source of its CRD, its defaults and its reference page.

Pure; the first step of the flow: raw objects become typed values here, or InvalidSpec, which names the field and the
next step. `spec` and `engine` hold the fields with their defaults, `status` what the operator writes.
"""

from deepseekserve.api.engine import Engine
from deepseekserve.api.errors import InvalidSpec
from deepseekserve.api.marking import Effect, effects
from deepseekserve.api.resource import DeepSeekServe, Metadata, parse, parse_spec, rolling, same_pods
from deepseekserve.api.spec import (
    Access,
    Gpu,
    Model,
    Parallelism,
    Resources,
    Rollout,
    Scheduling,
    SecretKeyRef,
    Spec,
    Start,
)
from deepseekserve.api.status import Condition, EngineStatus, Failure, Fix, SizingStatus, Startup, Status

__all__ = [
    "Access", "Condition", "DeepSeekServe", "Effect", "Engine", "EngineStatus", "Failure", "Fix", "Gpu", "InvalidSpec",
    "Metadata", "Model", "Parallelism", "Resources", "Rollout", "Scheduling", "SecretKeyRef", "SizingStatus", "Spec",
    "Start", "Startup", "Status", "effects", "parse", "parse_spec", "rolling", "same_pods",
]
