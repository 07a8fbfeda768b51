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


def _is_empty(given: list[Any]) -> bool:
    return not given


def _is_off(given: bool) -> bool:
    return not given


_WHERE_THERE_ARE_ANY = pydantic.Field(exclude_if=_is_empty)


class ColumnResponse(ResponseBody):
    """Of a table: `mean` and `scale` standardise a number; a category is sent as its index in `categories`."""

    name: str = ""
    mean: float = 0.0
    scale: float = 1.0
    categories: list[str] = []


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
    """What a version takes and gives; -1 is the number of examples.

    `columns` says what each number of an input means, where that is known; `classes` are those of every task,
    where they are always the same. With `class_names` the labels of a support set, where they are words, are read
    as one more example of their classes.
    """

    inputs: SignatureTensor
    targets: SignatureTensor
    columns: Annotated[list[ColumnResponse], _WHERE_THERE_ARE_ANY] = []
    target_columns: Annotated[list[ColumnResponse], _WHERE_THERE_ARE_ANY] = []
    classes: Annotated[list[str], _WHERE_THERE_ARE_ANY] = []
    class_names: Annotated[bool, pydantic.Field(exclude_if=_is_off)] = False


class PolicySignatureResponse(ResponseBody):
    """What a policy sees and what it chooses from; -1 is the number of observations."""

    observations: SignatureTensor
    actions: BoxResponse | DiscreteResponse


class LearnerResponse(ResponseBody):
    """How a version adapts; `adjustable` lists the options that a caller may set; `max_ways` its most classes.

    With `takes_fewer_columns` a support set may have any number of columns from 1 to the signature's, and the
    queries of its adaptation have as many.
    `normalise`, `members`, `views` and `turns` are as in the configuration of the job that made it.
    """

    algorithm: dict[str, Any]
    network: dict[str, Any]
    adjustable: list[str]
    max_ways: int | None = None
    takes_fewer_columns: bool = False
    normalise: bool = False
    members: int = 1
    views: int = 1
    turns: int = 1


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
