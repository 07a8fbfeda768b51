"""The registry: models, their immutable versions, and aliases."""

from datetime import datetime
from typing import Annotated, Any, Literal

import pydantic

from .base import RequestBody, ResponseBody


class ArtifactReference(ResponseBody):
    sha256: str
    bytes: int


class SignatureTensor(ResponseBody):
    datatype: str
    shape: list[int]


class BoxResponse(ResponseBody):
    """Vectors of `shape`, each number between `low` and `high`."""

    space: Literal["box"]
    shape: list[int]
    low: float
    high: float


class DiscreteResponse(ResponseBody):
    """The whole numbers from 0 to `n` - 1."""

    space: Literal["discrete"]
    n: int


class SignatureResponse(ResponseBody):
    """What a version takes and gives; -1 is the number of examples."""

    inputs: SignatureTensor
    targets: SignatureTensor


class PolicySignatureResponse(ResponseBody):
    """What a policy sees and what it chooses from; -1 is the number of observations."""

    observations: SignatureTensor
    actions: BoxResponse | DiscreteResponse


class LearnerResponse(ResponseBody):
    """How a version adapts; `adjustable` lists the options that a caller may set; `max_ways` its most classes."""

    algorithm: dict[str, Any]
    network: dict[str, Any]
    adjustable: list[str]
    max_ways: int | None = None


class ModelVersionResponse(ResponseBody):
    object: Literal["model_version"] = "model_version"
    model: str
    version: int
    aliases: list[str]
    status: Literal["ready"] = "ready"
    task: str
    signature: SignatureResponse | PolicySignatureResponse
    learner: LearnerResponse
    training: dict[str, Any]
    metrics: dict[str, Any]
    artifact: ArtifactReference
    created_at: datetime


class ModelResponse(ResponseBody):
    """A name; `aliases` maps each alias to its version."""

    object: Literal["model"] = "model"
    name: str
    latest_version: int | None
    aliases: dict[str, int]
    created_at: datetime


class AliasRequest(RequestBody):
    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"version": 3}]}
    )

    version: Annotated[int, pydantic.Field(ge=1, le=2**31 - 1, strict=True)]


class AliasResponse(ResponseBody):
    object: Literal["alias"] = "alias"
    name: str
    model: str
    version: int
    created_at: datetime
    updated_at: datetime
