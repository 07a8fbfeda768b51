"""A job's events over HTTP: a list, or server-sent events while the job lasts."""

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.dependencies import Draining, Services
from app.operations import Answer, operation
from app.requests.parameters import JobId
from app.responses import examples
from app.responses.answers import listed
from app.responses.event_stream import PAGE, Place, event_stream, event_wire
from innerloop.schemas.jobs import JobEventResponse
from innerloop.schemas.listing import ListResponse
from services.jobs.records import JobEvent

router = APIRouter(prefix="/v1/jobs", tags=["Jobs"])

_MOST_DIGITS = 9


@router.get(
    "/{job_id}/events",
    summary="Follow a job",
    **operation(
        {
            200: Answer(
                "A page of events, oldest first; or, with `Accept: text/event-stream`, all of them as they happen.",
                ListResponse[JobEventResponse],
                examples.one_page(examples.EVENT),
                streams=examples.EVENT_STREAM,
            ),
            204: Answer("Stream only: the last event was delivered already, so do not reconnect."),
        },
        (404, 422),
        headers=("Last-Event-ID",),
    ),
)
async def list_events(
    request: Request,
    job_id: JobId,
    services: Services,
    drain: Draining,
    after: Annotated[
        str | None,
        Query(
            max_length=64,
            description="The id or the sequence of the last event that was seen.",
            examples=["17"],
        ),
    ] = None,
    limit: Annotated[
        int, Query(ge=1, le=100, description="The most entries of the list.", examples=[20])
    ] = 20,
) -> Response:
    """What happened to a job. Types: `status` (the whole job), `progress`, `metric`, `checkpoint`, `log`.

    The stream replays everything after `Last-Event-ID` (or `after`) and ends after the `status` event of the
    job's end. A page's `next` is the `after` of the one that follows.
    """
    if not _wants_stream(request):
        start = _place(after)
        return listed(await anyio.to_thread.run_sync(services.jobs.events, job_id, start, limit), event_wire)
    start = _place(request.headers.get("last-event-id") or after)

    async def following(place: Place) -> list[JobEvent]:
        page = await anyio.to_thread.run_sync(services.jobs.events, job_id, place, PAGE)
        return page.data

    # In this order: of a job that has ended by now, every event is there to be read.
    job = await anyio.to_thread.run_sync(services.jobs.job, job_id)
    first = await following(start)
    if not first and job.status.is_terminal:
        return Response(status_code=204)
    return event_stream(first, start, following, drain)


def _wants_stream(request: Request) -> bool:
    kinds = request.headers.get("accept", "").lower().split(",")
    return any(kind.partition(";")[0].strip() == "text/event-stream" for kind in kinds)


def _place(after: str | None) -> Place:
    """A sequence number, or an event's id."""
    if after is not None and after.isascii() and after.isdecimal() and len(after) <= _MOST_DIGITS:
        return int(after)
    return after
