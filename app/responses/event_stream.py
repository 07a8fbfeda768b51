"""A job's events as server-sent events. Knows the wire form and when a stream ends; not where events are kept.

A stream ends after the job's last event, when the caller goes away, and when this process is told to end:
an open stream would otherwise hold up the shutdown for as long as the job lasts.
"""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi.sse import EventSourceResponse, format_sse_event

from app.drain import Drain
from innerloop.schemas.jobs import JobEventResponse
from services.errors import Unavailable
from services.jobs.records import JobEvent

logger = logging.getLogger(__name__)

PAGE = 200
_POLL_SECONDS = 0.2
_PING_SECONDS = 15.0
_RECONNECT_MS = 1000
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

Place = int | str | None
"""Where in a job's events: a sequence, an event's id, or before the first."""
NextEvents = Callable[[Place], Awaitable[list[JobEvent]]]
"""The events behind a place, oldest first, at most `PAGE` of them."""


def event_stream(
    first: list[JobEvent], after: Place, following: NextEvents, drain: Drain
) -> EventSourceResponse:
    """Send `first`, then whatever follows, until the end."""
    return EventSourceResponse(_stream(first, after, following, drain), headers=_HEADERS)


def event_wire(event: JobEvent) -> JobEventResponse:
    """The record as its wire type."""
    return JobEventResponse(
        id=event.id,
        job=event.job,
        sequence=event.sequence,
        type=event.type,
        data=event.data,
        created_at=event.created_at,
    )


async def _stream(
    events: list[JobEvent], after: Place, following: NextEvents, drain: Drain
) -> AsyncIterator[bytes]:
    yield format_sse_event(retry=_RECONNECT_MS)
    spoke = time.monotonic()
    while True:
        for event in events:
            wire = event_wire(event)
            yield format_sse_event(data_str=wire.model_dump_json(), event=wire.type, id=wire.id)
            spoke = time.monotonic()
            if event.is_last:
                return
        after = events[-1].sequence if events else after
        if len(events) < PAGE and await drain.within(_POLL_SECONDS):
            return
        if time.monotonic() - spoke >= _PING_SECONDS:
            yield format_sse_event(comment="ping")
            spoke = time.monotonic()
        try:
            events = await following(after)
        except Unavailable:
            # The status is long sent; what cannot be read now is read in a moment.
            logger.warning("a job's events cannot be read now")
            events = []
