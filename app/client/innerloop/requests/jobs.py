"""Meta-training jobs, their events and checkpoints, and the recipes they start from."""

from collections.abc import Mapping
from typing import Any, Literal

from .. import wire
from ..call import Call, body_of, fetch, nothing, post, segment
from ..schemas.jobs import CheckpointResponse, JobEventResponse, JobResponse, RecipeResponse
from ..schemas.listing import ListResponse

# Longer than the service's pings on an event stream (15 s), so that silence means a lost connection.
STREAM_SILENCE_S = 45.0


def create(
    model: str,
    *,
    recipe: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    learner: Mapping[str, Any] | None = None,
    tasks: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    alias: str | None = None,
) -> Call[JobResponse]:
    """A job from a recipe with overrides, or from a whole configuration."""
    optional = {
        "recipe": recipe,
        "overrides": overrides,
        "learner": learner,
        "tasks": tasks,
        "training": training,
        "publish": None if alias is None else {"alias": alias},
    }
    present = {name: value for name, value in optional.items() if value is not None}
    body = wire.encode({"model": model, **present})
    return post("/v1/jobs", body_of(JobResponse), content=body.content, headers=body.headers)


def evaluate(model: str, *, episodes: int | None, seed: int, dataset: str | None) -> Call[JobResponse]:
    """A job that tests a version, by its reference."""
    optional = {"episodes": episodes, "dataset": dataset}
    present = {name: value for name, value in optional.items() if value is not None}
    body = wire.encode({"type": "evaluation", "model": model, "seed": seed, **present})
    return post("/v1/jobs", body_of(JobResponse), content=body.content, headers=body.headers)


def get(job: str) -> Call[JobResponse]:
    return fetch(f"/v1/jobs/{segment(job)}", body_of(JobResponse))


def page(
    status: str | None, model: str | None, limit: int, after: str | None
) -> Call[ListResponse[JobResponse]]:
    params = {"status": status, "model": model, "limit": limit, "after": after}
    return fetch("/v1/jobs", body_of(ListResponse[JobResponse]), params)


def act(job: str, action: Literal["cancel", "pause", "resume"]) -> Call[JobResponse]:
    return post(f"/v1/jobs/{segment(job)}/{action}", body_of(JobResponse))


def events_page(job: str, limit: int, after: str | None) -> Call[ListResponse[JobEventResponse]]:
    return fetch(
        f"/v1/jobs/{segment(job)}/events",
        body_of(ListResponse[JobEventResponse]),
        {"limit": limit, "after": after},
    )


def events_stream(job: str, last_event_id: str | None) -> Call[None]:
    """The events as they happen; the clients read this answer line by line."""
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    return Call(
        method="GET",
        path=f"/v1/jobs/{segment(job)}/events",
        read=nothing,
        headers=headers,
        patience=STREAM_SILENCE_S,
    )


def checkpoints(job: str, limit: int, after: str | None) -> Call[ListResponse[CheckpointResponse]]:
    return fetch(
        f"/v1/jobs/{segment(job)}/checkpoints",
        body_of(ListResponse[CheckpointResponse]),
        {"limit": limit, "after": after},
    )


def recipes(limit: int, after: str | None) -> Call[ListResponse[RecipeResponse]]:
    return fetch("/v1/recipes", body_of(ListResponse[RecipeResponse]), {"limit": limit, "after": after})
