"""A job's events over HTTP: a list, or server-sent events while the job lasts."""

import re
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
_WEIGHT = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?", re.ASCII)


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
    """Whether the stream is named in Accept, and the list is not liked better."""
    liked = {"text/event-stream": 0.0, "application/json": 0.0}
    for entry in request.headers.get("accept", "").lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        if kind in liked:
            liked[kind] = _quality(parameters)
    return 0.0 < liked["text/event-stream"] >= liked["application/json"]


def _quality(parameters: list[str]) -> float:
    """The weight of an entry of Accept (RFC 9110, section 12.4.2): 1 where none is given, 0 for no weight."""
    given = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    return float(given) if _WEIGHT.fullmatch(given) else 0.0


def _place(after: str | None) -> Place:
    """A sequence number, or an event's id."""
    if after is not None and after.isascii() and after.isdecimal() and len(after) <= _MOST_DIGITS:
        return int(after)
    return after
