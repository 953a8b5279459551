"""What the operator writes into `status`: typed, bounded as the CRD bounds it, and read back with tolerance.

Pure; `deepseekserve.status` decides the values. Texts and lists are cut to what the API server accepts, for a status
that is refused would leave the resource without any.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, ValidationError, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.api.group import Group

NEVER_OBSERVED = -1            # generations begin at 1: a resource that no operator has seen is never taken for ready


@dataclass(frozen=True)
class Cut:
    """A text or a list of which only the first `most` characters or items are kept."""

    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        bounded: Any = {**handler(source), "max_length": self.most}
        return core_schema.no_info_before_validator_function(self._cut, bounded)

    def _cut(self, value: Any) -> Any:
        return value[:self.most] if isinstance(value, str | list | tuple) else value


Word = Annotated[str, Cut(253)]
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Number = Annotated[int, WithJsonSchema({"type": "integer", "format": "int64"})]
# No enum in the CRD: a later release knows more, and its status must not be refused.
PhaseName = Annotated[Phase, WithJsonSchema({"type": "string", "maxLength": 64})]
ReasonName = Annotated[Reason, WithJsonSchema({"type": "string", "maxLength": 64})]


class StatusGroup(Group):
    """Fields that the operator writes; made by attribute name, read from the API by camelCase name."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    @classmethod
    def read(cls, raw: object) -> Self:
        """Read what a release of the operator has written, without the fields that this one cannot understand.

        Raises ValidationError only for a group whose required fields are among those.
        """
        try:
            return cls.model_validate(raw if isinstance(raw, Mapping) else {})
        except ValidationError as error:
            lost = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
            return cls.model_validate({key: value for key, value in dict(raw).items() if key not in lost})  # type: ignore[call-overload]

    def to_dict(self) -> dict[str, Any]:
        """Write camelCase JSON values, without what is not known."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Condition(StatusGroup):
    """One aspect of the resource's state, as every Kubernetes object describes it."""

    type: Annotated[str, Cut(316), Field(min_length=1)]
    """Which aspect: Ready, Reconciling, Stalled, Degraded or Fits. All five are always there."""
    status: Literal["True", "False", "Unknown"]
    """Whether the condition holds."""
    reason: Annotated[str, Cut(1024), Field(min_length=1)]
    """One word why, for programs."""
    message: Annotated[str, Cut(32768)]
    """One or two sentences why, and what to do, for people."""
    last_transition_time: Moment
    """When status last changed."""
    observed_generation: Number | None = None
    """The generation of the spec that this was said of."""


class Startup(StatusGroup):
    """How far the slowest starting pod is; absent when none starts."""

    phase: PhaseName | None = None
    """The step of the start: Pending, Scheduling, Pulling, Starting, Downloading, LoadingWeights, Compiling,
    ProfilingMemory, CapturingGraphs."""
    percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """Roughly how much of the start is done, in steps of 5; never falls during one start."""
    since: Moment | None = None
    """When this phase began."""
    expected_ready_time: Moment | None = None
    """When the model will probably answer, from the progress so far and from what an earlier start took."""
    pod: Word | None = None
    """The pod that this is about."""


class EngineStatus(StatusGroup):
    """What the engine itself reported when it started."""

    version: Word | None = None
    """The engine's version."""
    max_model_len: Number | None = None
    """Longest context in use, in tokens: prompt and answer together."""
    kv_cache_tokens: Number | None = None
    """How many tokens fit the KV cache of one pod."""
    max_concurrency: Word | None = None
    """How many requests of the longest context fit the KV cache at once."""
    quantization: Word | None = None
    """How the weights are quantized in memory; None when the engine says that they are not."""
    dtype: Word | None = None
    """Number format that the engine computes in."""
    weights_bytes: Number | None = None
    """Memory that the weights take per device, in bytes."""
    notes: Annotated[list[Annotated[str, Cut(1024)]], Cut(16)] = Field(default=[])
    """What else is worth knowing about this engine."""


LONGEST_SUMMARY = 4096         # bytes of a termination message


class SizingStatus(StatusGroup):
    """What was computed before the start, for each device; status.engine says what was true."""

    weights_bytes: Number | None = None
    """Memory that the weights take."""
    kv_bytes_per_token: Number | None = None
    """Memory that one token takes in the KV cache."""
    overhead_bytes: Number | None = None
    """Memory that activations, graphs and libraries take."""
    available_bytes: Number | None = None
    """Memory that the engine may use; absent when it is not known."""
    max_model_len: Number | None = None
    """The context that this was computed for, in tokens."""
    kv_cache_tokens: Number | None = None
    """Tokens that the KV cache will hold; absent when the memory for it is not known."""
    spec_hash: Word | None = None
    """Hash of the fields that make the pods, of the spec that this was computed for; edits of others keep it."""
    summary: Annotated[str, Cut(LONGEST_SUMMARY)] | None = None
    """What was read of the model's files, or why nothing could be, as JSON; absent for models of the catalogue."""


LONGEST_FIX = 4096             # characters of a value: it must be whole to be applied


class Fix(StatusGroup):
    """One edit that would help."""

    field: Word
    """The field to edit, from spec on."""
    value: Annotated[str, Cut(LONGEST_FIX)]
    """A value that would work, as YAML."""
    why: Annotated[str, Cut(1024)] = ""
    """What the edit does."""


class Failure(StatusGroup):
    """Why the current revision does not serve, and what to do about it; absent while nothing is wrong."""

    reason: ReasonName
    """One word of a closed list, such as ContextTooLong, CorruptModel or Unknown."""
    message: Annotated[str, Cut(4096)] = ""
    """What went wrong, in plain words, with the numbers."""
    remedy: Annotated[str, Cut(4096)] = ""
    """What to do about it."""
    fixes: Annotated[list[Fix], Cut(16)] = Field(default=[])
    """Edits of the spec that would work, when they can be computed."""
    documentation: Word | None = None
    """The reason's section in the project's handbook."""
    pod: Word | None = None
    """The pod that failed."""
    at: Moment | None = None
    """When it failed."""
    log_excerpt: Annotated[str, Cut(8192)] | None = None
    """The decisive lines of the engine's log."""


class Status(StatusGroup):
    """What the operator observes; nobody else writes it."""

    observed_generation: Number = NEVER_OBSERVED
    """The generation of the spec that this status is about; -1 until an operator has seen the resource."""
    phase: PhaseName | None = None
    """Where it stands, in one word: Pending, Scheduling, Pulling, Starting, Downloading, LoadingWeights, Compiling,
    ProfilingMemory, CapturingGraphs, Serving, Idle, Suspended or Failed."""
    model: Word | None = None
    """The name under which clients ask for the model."""
    url: Annotated[str, Cut(2048)] | None = None
    """Base URL for OpenAI clients inside the cluster."""
    replicas: Number | None = None
    """Pods that exist."""
    ready_replicas: Number | None = None
    """Pods that answer requests."""
    selector: Annotated[str, Cut(1024)] | None = None
    """Label selector of the pods, for autoscalers."""
    conditions: Annotated[list[Condition], Cut(16)] = Field(default=[], json_schema_extra={
        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]})
    """Ready: a model answers. Reconciling: work goes on. Stalled: only an edit of the spec can help. Degraded: it
    serves, but not all that was asked for. Fits: it was computed that it can work (True) or cannot (False); Unknown:
    too little is known, and it is started."""
    startup: Startup | None = None
    """How far the slowest starting pod is."""
    sizing: SizingStatus | None = None
    """What was computed before the start."""
    engine: EngineStatus | None = None
    """What the engine reported."""
    failure: Failure | None = None
    """Why the current revision does not serve, and what to do."""
    current_revision: Word | None = None
    """Name of the ControllerRevision that the pods are made from."""
    last_good_revision: Word | None = None
    """Name of the newest ControllerRevision that has served."""
