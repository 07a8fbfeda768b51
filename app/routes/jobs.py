"""Jobs over HTTP: submit, look, cancel, pause, resume, checkpoints. Their events have a file of their own."""

from collections.abc import Callable
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.dependencies import After, Limit, Services, Settings
from app.idempotency import once
from app.operations import Answer, json_body, operation
from app.requests.bodies import parse_body, read_body, sha256_of
from app.requests.finite import refuse_infinities
from app.requests.parameters import JobId, ModelFilter
from app.responses import examples
from app.responses.answers import answer, listed, listed_of
from innerloop.schemas.jobs import CheckpointResponse, JobRequest, JobResponse, JobStatus
from innerloop.schemas.listing import ListResponse
from services.api_bootstrap import ApiServices
from services.jobs.records import CheckpointRecord, Job
from services.jobs.states import JobState

router = APIRouter(prefix="/v1/jobs", tags=["Jobs"])


@router.post(
    "",
    summary="Submit a job",
    **operation(
        {202: Answer("The job; it is queued.", JobResponse, examples.QUEUED_JOB, ("Location",))},
        (422, 503),
        body=json_body(JobRequest, "a recipe", "a dataset of your own", "an evaluation"),
        idempotent=True,
    ),
)
async def submit_job(request: Request, services: Services, settings: Settings) -> Response:
    """Meta-train a base model in the background: from a recipe with overrides, or from a whole configuration.

    On success the job registers a new version of `model`, and moves `publish.alias` to it. A job of type
    `evaluation` tests a version and registers nothing: its `metrics` are the report.
    """
    body = await read_body(request, settings.body_bytes)

    async def work(token: str | None) -> Response:
        draft = (await parse_body(request, body, JobRequest)).document.model_dump(exclude_unset=True)
        refuse_infinities(draft, "")
        job = await anyio.to_thread.run_sync(services.jobs.submit, draft, token)
        return answer(_wire(job), 202, {"Location": f"/v1/jobs/{job.id}"})

    return await once(request, lambda: sha256_of(body), services.idempotency, work)


@router.get(
    "",
    summary="List jobs",
    **operation(
        {200: Answer("A page, newest first.", ListResponse[JobResponse], examples.one_page(examples.JOB))},
        (422,),
    ),
)
async def list_jobs(
    services: Services,
    status: Annotated[
        JobStatus | None, Query(description="Only those that stand so.", examples=["running"])
    ] = None,
    model: ModelFilter = None,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """Jobs of every status, or of one, for every model, or for one."""
    state = None if status is None else JobState(status)
    page = await anyio.to_thread.run_sync(services.jobs.jobs, limit, after, state, model)
    return listed(page, _wire)


@router.get(
    "/{job_id}",
    summary="Get a job",
    **operation({200: Answer("The job.", JobResponse, examples.JOB)}, (404,)),
)
async def get_job(job_id: JobId, services: Services) -> Response:
    """One job: how far it is, what it measured, and what came of it."""
    return answer(_wire(await anyio.to_thread.run_sync(services.jobs.job, job_id)))


@router.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    **operation(
        {200: Answer("The job, cancelled.", JobResponse, examples.CANCELLED_JOB)}, (404, 409), idempotent=True
    ),
)
async def cancel_job(request: Request, job_id: JobId, services: Services, settings: Settings) -> Response:
    """End a job for good; its checkpoints stay. 409 once it has ended."""
    return await _move(request, services, settings, lambda: services.jobs.cancel(job_id))


@router.post(
    "/{job_id}/pause",
    summary="Pause a job",
    **operation(
        {200: Answer("The job, paused.", JobResponse, examples.PAUSED_JOB)}, (404, 409), idempotent=True
    ),
)
async def pause_job(request: Request, job_id: JobId, services: Services, settings: Settings) -> Response:
    """Stop a queued or running job, to go on later from a checkpoint."""
    return await _move(request, services, settings, lambda: services.jobs.pause(job_id))


@router.post(
    "/{job_id}/resume",
    summary="Resume a job",
    **operation(
        {200: Answer("The job, queued again.", JobResponse, examples.QUEUED_JOB)}, (404, 409), idempotent=True
    ),
)
async def resume_job(request: Request, job_id: JobId, services: Services, settings: Settings) -> Response:
    """Put a paused job back into the queue."""
    return await _move(request, services, settings, lambda: services.jobs.resume(job_id))


@router.get(
    "/{job_id}/checkpoints",
    summary="List a job's checkpoints",
    **operation(
        {
            200: Answer(
                "A page of those that are kept, latest first.",
                ListResponse[CheckpointResponse],
                examples.one_page(examples.CHECKPOINT),
            )
        },
        (404, 422),
    ),
)
async def list_checkpoints(
    job_id: JobId, services: Services, limit: Limit = 20, after: After = None
) -> Response:
    """States of the training from which it can go on. They are never served as models."""
    kept = await anyio.to_thread.run_sync(services.jobs.checkpoints, job_id)
    return listed_of(kept, lambda one: one.id, _checkpoint_wire, limit, after)


async def _move(
    request: Request, services: ApiServices, settings: Settings, move: Callable[[], Job]
) -> Response:
    body = await read_body(request, settings.body_bytes)

    async def work(_token: str | None) -> Response:
        return answer(_wire(await anyio.to_thread.run_sync(move)))

    return await once(request, lambda: sha256_of(body), services.idempotency, work)


def _wire(job: Job) -> JobResponse:
    return JobResponse.model_validate(job.document)


def _checkpoint_wire(kept: CheckpointRecord) -> CheckpointResponse:
    return CheckpointResponse(
        id=kept.id,
        job=kept.job,
        iteration=kept.iteration,
        metrics=kept.metrics,
        bytes=kept.bytes,
        created_at=kept.created_at,
    )
