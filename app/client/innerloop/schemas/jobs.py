"""Jobs: background work, its life, its events and checkpoints; and the recipes a job may start from."""

from datetime import datetime
from typing import Annotated, Any, Literal

import pydantic

from .base import RequestBody, ResponseBody

JobStatus = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
JobType = Literal["meta_training", "evaluation"]
TERMINAL: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})


class PublishBody(RequestBody):
    """What happens to the new version; `alias` is moved to it."""

    alias: str | None = None


class JobRequest(RequestBody):
    """Meta-train a base model: from `recipe` (with `overrides`), or from `learner`, `tasks` and `training`.

    With `type` evaluation, test a version instead: `model` is then a reference such as letters@3, `episodes` how
    many tasks to draw (600 unless given; 40 for a policy) from `seed`, and `dataset` one to draw them from in place
    of what the version was trained on, whose held-out side it is tested on otherwise.
    """

    model_config = pydantic.ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"model": "functions", "recipe": "functions", "publish": {"alias": "champion"}},
                {
                    "model": "my-letters",
                    "learner": {
                        "algorithm": {"name": "protonet"},
                        "network": {"name": "conv4", "hidden": 64},
                    },
                    "tasks": {"dataset": "ds_0123", "n_way": 20, "n_shot": 1, "n_query": 5},
                    "training": {"iterations": 2000, "meta_batch_size": 4, "meta_lr": 0.001, "seed": 0},
                },
                {"type": "evaluation", "model": "my-letters@3", "episodes": 600, "seed": 0},
            ]
        },
    )

    model: str
    recipe: str | None = None
    overrides: dict[str, Any] | None = None
    learner: dict[str, Any] | None = None
    tasks: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    publish: PublishBody = PublishBody()
    type: JobType = "meta_training"
    episodes: Annotated[int, pydantic.Field(ge=1, le=10_000, strict=True)] | None = None
    seed: Annotated[int, pydantic.Field(ge=0, le=2**31 - 1, strict=True)] | None = None
    dataset: str | None = None


class ProgressResponse(ResponseBody):
    """`eta_seconds` is null until there is something to extrapolate from."""

    iteration: int
    iterations: int
    fraction: float
    eta_seconds: float | None


class JobErrorResponse(ResponseBody):
    """Why a job failed; `fault` tells whether the caller or the service has to change something."""

    code: str
    message: str
    fault: Literal["user", "server"]


class JobResult(ResponseBody):
    """The version that was registered, or evaluated."""

    model: str
    version: int


class JobResponse(ResponseBody):
    """`metrics` of an evaluation are its report: scores with their 95 % intervals, `calibration`, `per_shot`,
    `per_step`."""

    object: Literal["job"] = "job"
    id: str
    type: str
    status: JobStatus
    model: str
    config: dict[str, Any]
    progress: ProgressResponse
    metrics: dict[str, Any]
    result: JobResult | None
    error: JobErrorResponse | None
    attempts: int
    publish: dict[str, Any] = {}
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobEventResponse(ResponseBody):
    """`sequence` rises by one within a job; `data` depends on `type`."""

    object: Literal["job.event"] = "job.event"
    id: str
    job: str
    sequence: int
    type: Annotated[str, pydantic.Field(description="status, progress, metric, checkpoint or log.")]
    data: dict[str, Any]
    created_at: datetime


class CheckpointResponse(ResponseBody):
    """Resumable training state; never served as a model."""

    object: Literal["job.checkpoint"] = "job.checkpoint"
    id: str
    job: str
    iteration: int
    metrics: dict[str, Any]
    bytes: int
    created_at: datetime


class RecipeTimes(ResponseBody):
    """How long a recipe trains; null where it was not measured."""

    cpu: Annotated[str | None, pydantic.Field(description="On two CPU cores.")] = None
    gpu: Annotated[str | None, pydantic.Field(description="On one GPU.")] = None


class RecipeResponse(ResponseBody):
    """A named configuration that a job may start from.

    `needs` is the dataset that it learns from, null where it makes its own tasks; `reaches` what was measured on
    tasks that it did not train on, null where nothing was.
    """

    object: Literal["recipe"] = "recipe"
    name: str
    description: str
    config: dict[str, Any]
    created_at: datetime
    needs: str | None = None
    reaches: str | None = None
    takes: RecipeTimes = RecipeTimes()
