"""Predictions, from an adaptation or from a support set given with the query."""

from typing import Annotated, Any, Literal

import pydantic

from .adaptations import Escalation, Label, SupportBody, VersionReference
from .base import RequestBody, ResponseBody
from .tensors import TensorValue


class PredictionsRequest(RequestBody):
    """Query examples for a stored adaptation."""

    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"inputs": [5, 6]}]}
    )

    inputs: TensorValue
    options: Annotated[
        dict[str, Any],
        pydantic.Field(description="Of a policy: `mode`, sample (the default) or greedy, and a `seed`."),
    ] = {}


class AdaptPredictRequest(RequestBody):
    """Adapt and query in one call; nothing is stored. Exactly one of `model` and `from`.

    `support` null (regression), or without episodes (a policy), asks for the base model's own answer, before any
    adaptation. A policy's `options` are also `mode` and `seed`.
    """

    model_config = pydantic.ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        json_schema_extra={
            "examples": [
                {
                    "model": "functions",
                    "support": {"inputs": [1, 2, 3, 4], "targets": [2, 4, 6, 8]},
                    "inputs": [5, 6],
                }
            ]
        },
    )

    model: Annotated[str | None, pydantic.Field(description="`name`, `name@alias` or `name@3`.")] = None
    start_from: Annotated[str | None, pydantic.Field(alias="from", description="`adp_…`.")] = None
    support: SupportBody | None
    inputs: TensorValue
    options: dict[str, Any] = {}


class RegressionPrediction(ResponseBody):
    """`value` is a number for one output column, else a list; `std` likewise, null where the learner gives none."""

    value: float | list[float]
    std: float | list[float] | None


class ClassPrediction(ResponseBody):
    """The likeliest class, its probability, and every class's; keys are the labels as text."""

    label: Label
    probability: float
    probabilities: dict[str, float]


class ActionPrediction(ResponseBody):
    """What to do, and its log-probability (log-density, for a box) before any clipping to the space.

    A box of actions: what it was drawn from as `mean` and `std`; discrete actions: as `probabilities`.
    """

    action: int | list[float]
    log_prob: float
    mean: list[float] | None = None
    std: list[float] | None = None
    probabilities: list[float] | None = None


Prediction = RegressionPrediction | ClassPrediction | ActionPrediction


class PredictionsResponse(ResponseBody):
    """One prediction a query example, in order.

    `escalation`, as an adaptation's, is there where one was made for this call with the option `escalate`.
    """

    object: Literal["predictions"] = "predictions"
    adaptation: Annotated[str | None, pydantic.Field(description="Null where nothing was stored.")]
    revision: int | None
    model: VersionReference
    predictions: list[Prediction]
    escalation: Escalation | None = None
