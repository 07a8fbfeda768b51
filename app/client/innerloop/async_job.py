"""A job that can be watched: the handle that `AsyncClient.train` returns. The twin of job."""

import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Literal

import httpx

from .async_connection import AsyncConnection
from .errors import InnerloopError
from .events import JobStream
from .pages import async_pages
from .progress import Display, display
from .requests import jobs as requests
from .retries import Attempts
from .schemas.jobs import CheckpointResponse, JobEventResponse, JobResponse
from .states import JobState
from .waiting import Wait


class AsyncJob(JobState):
    """Background work in the service. Its properties say how it was when it was last looked at.

    >>> job = await client.train("functions", recipe="functions", alias="champion")    # doctest: +SKIP
    >>> (await job.wait()).result                                                      # doctest: +SKIP
    JobResult(model='functions', version=1)
    """

    def __init__(self, response: JobResponse, connection: AsyncConnection) -> None:
        super().__init__(response)
        self._connection = connection

    async def refresh(self) -> "AsyncJob":
        """Look again; returns itself."""
        self.response = await self._connection.send(requests.get(self.id))
        return self

    async def wait(
        self,
        progress: bool | Display = True,
        timeout: float | None = None,  # noqa: ASYNC109 - its end is WaitTimeout, not a cancelled task
    ) -> "AsyncJob":
        """Wait until it succeeded; returns itself. A restart of the service in between is borne with.

        `progress`: True shows a bar with loss and ETA on stderr (plain lines where that is no terminal); a callable
        is called with each newest JobResponse. `timeout` in seconds.
        Raises JobFailed or JobCancelled with the reason, WaitTimeout when the time is up (the job goes on).
        """
        wait = Wait(self.id, timeout, time.monotonic())
        with ExitStack() as stack:
            show = stack.enter_context(display()) if progress is True else progress
            while True:
                try:
                    await self.refresh()
                except InnerloopError as error:
                    delay = wait.missed(error, time.monotonic())
                else:
                    if show:
                        show(self.response)
                    seen = wait.seen(self.response, time.monotonic())
                    if seen is None:
                        return self
                    delay = seen
                await self._connection.sleep(delay)

    async def cancel(self) -> "AsyncJob":
        """Ask it to stop; returns itself. Raises Conflict where it already ended."""
        return await self._act("cancel")

    async def pause(self) -> "AsyncJob":
        """Stop for now, keeping what was learned so far; returns itself."""
        return await self._act("pause")

    async def resume(self) -> "AsyncJob":
        """Go on after a pause; returns itself."""
        return await self._act("resume")

    async def events(self, after: str | None = None) -> AsyncIterator[JobEventResponse]:
        """Every event from the first (or from the one after the id `after`), live, until the job has ended.

        Lost connections are taken up again where they broke off.
        """
        url, retries = self._connection.address.url, self._connection.max_retries
        stream, attempts = JobStream(after), Attempts(url, retries)
        while True:
            try:
                async with self._connection.stream(
                    requests.events_stream(self.id, stream.last_id)
                ) as response:
                    if response.is_success:
                        stream.connected(response.status_code)
                        async for chunk in response.aiter_bytes():
                            attempts = Attempts(url, retries)  # it is there: patience starts over
                            for event in stream.feed(chunk):
                                yield event
                            if stream.finished:
                                return
                    else:
                        await response.aread()
                        await self._connection.sleep(attempts.answered(response))
                        continue
                error: httpx.TransportError = httpx.RemoteProtocolError(
                    "the event stream ended before the job did"
                )
            except httpx.TransportError as broken:
                error = broken
            if stream.finished:  # a 204: everything was delivered before
                return
            await self._connection.sleep(attempts.failed(error))

    def past_events(self) -> AsyncIterator[JobEventResponse]:
        """The events so far, page by page, without waiting for more."""
        return async_pages(self._connection, lambda limit, after: requests.events_page(self.id, limit, after))

    def checkpoints(self) -> AsyncIterator[CheckpointResponse]:
        """The resumable states it has saved."""
        return async_pages(self._connection, lambda limit, after: requests.checkpoints(self.id, limit, after))

    async def _act(self, action: Literal["cancel", "pause", "resume"]) -> "AsyncJob":
        self.response = await self._connection.send(requests.act(self.id, action))
        return self
