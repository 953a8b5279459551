"""Turns a raw DeepSeekServe into a typed one, or InvalidSpec; and a spec into the part of it that makes the pods.

Pure; the entrance of the flow. The API server has held the object to the CRD already, but perhaps to an older one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import ConfigDict, ValidationError

from deepseekserve.api.errors import InvalidSpec, invalid
from deepseekserve.api.group import Group
from deepseekserve.api.marking import Effect, marked
from deepseekserve.api.spec import Spec
from deepseekserve.api.status import Status

_ROLLING = marked(Spec, Effect.ROLLS)


class Metadata(Group):
    """The part of an object's metadata that the operator needs."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    name: str
    namespace: str
    uid: str
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self:
        """Read the metadata of any object; raises InvalidSpec for one that no API server has stored."""
        try:
            return cls.model_validate(raw.get("metadata") or {})
        except ValidationError as error:
            raise invalid(error, "metadata") from error


@dataclass(frozen=True)
class DeepSeekServe:
    """One resource: who it is, what is asked for, and what was last said about it."""

    metadata: Metadata
    spec: Spec
    status: Status

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Read a resource as the API server returns it; raises InvalidSpec with the field and what to set.

        Metadata.read and Status.read still work on one whose spec is refused.
        """
        return cls(metadata=Metadata.read(raw), spec=parse_spec(raw.get("spec")), status=Status.read(raw.get("status")))


def parse(raw: Mapping[str, Any]) -> DeepSeekServe:
    """Read a resource as the API server returns it; raises InvalidSpec with the field and what to set."""
    return DeepSeekServe.parse(raw)


def parse_spec(raw: object) -> Spec:
    """Read a spec, or the part of one that `rolling` kept, and fill in the defaults; raises InvalidSpec."""
    try:
        return Spec.model_validate({} if raw is None else raw)
    except ValidationError as error:
        raise invalid(error, "spec") from error


def rolling(spec: Spec) -> dict[str, Any]:
    """List the fields that make the pods, in camelCase, defaults applied, without what is not set."""
    fields: dict[str, Any] = spec.model_dump(mode="json", by_alias=True, exclude_none=True, include=_ROLLING)  # type: ignore[arg-type]
    return fields


def same_pods(stored: object, spec: Spec) -> bool:
    """Tell whether `stored`, an earlier `rolling`, and `spec` make the same pods, both with today's defaults.

    A field that came since has its default on both sides. A stored spec that today's rules refuse makes other pods.
    """
    try:
        return rolling(parse_spec(stored)) == rolling(spec)
    except InvalidSpec:
        return False
