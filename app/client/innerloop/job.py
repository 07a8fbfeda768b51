"""A job that can be watched: the handle that `Client.train` returns."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Literal

import httpx

from .connection import Connection
from .errors import InnerloopError
from .events import JobStream
from .pages import pages
from .progress import Display, display
from .requests import jobs as requests
from .retries import Attempts
from .schemas.jobs import CheckpointResponse, JobEventResponse, JobResponse
from .states import JobState
from .waiting import Wait


class Job(JobState):
    """Background work in the service. Its properties say how it was when it was last looked at.

    >>> job = client.train("functions", recipe="functions", alias="champion")    # doctest: +SKIP
    >>> job.wait().result                                                        # doctest: +SKIP
    JobResult(model='functions', version=1)
    """

    def __init__(self, response: JobResponse, connection: Connection) -> None:
        super().__init__(response)
        self._connection = connection

    def refresh(self) -> "Job":
        """Look again; returns itself."""
        self.response = self._connection.send(requests.get(self.id))
        return self

    def wait(self, progress: bool | Display = True, timeout: float | None = None) -> "Job":
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
                    self.refresh()
                except InnerloopError as error:
                    delay = wait.missed(error, time.monotonic())
                else:
                    if show:
                        show(self.response)
                    seen = wait.seen(self.response, time.monotonic())
                    if seen is None:
                        return self
                    delay = seen
                self._connection.sleep(delay)

    def cancel(self) -> "Job":
        """Ask it to stop; returns itself. Raises Conflict where it already ended."""
        return self._act("cancel")

    def pause(self) -> "Job":
        """Stop for now, keeping what was learned so far; returns itself."""
        return self._act("pause")

    def resume(self) -> "Job":
        """Go on after a pause; returns itself."""
        return self._act("resume")

    def events(self, after: str | None = None) -> Iterator[JobEventResponse]:
        """Every event from the first (or from the one after the id `after`), live, until the job has ended.

        Lost connections are taken up again where they broke off.
        """
        url, retries = self._connection.address.url, self._connection.max_retries
        stream, attempts = JobStream(after), Attempts(url, retries)
        while True:
            try:
                with self._connection.stream(requests.events_stream(self.id, stream.last_id)) as response:
                    if response.is_success:
                        stream.connected(response.status_code)
                        for chunk in response.iter_bytes():
                            attempts = Attempts(url, retries)  # it is there: patience starts over
                            yield from stream.feed(chunk)
                            if stream.finished:
                                return
                    else:
                        response.read()
                        self._connection.sleep(attempts.answered(response))
                        continue
                error: httpx.TransportError = httpx.RemoteProtocolError(
                    "the event stream ended before the job did"
                )
            except httpx.TransportError as broken:
                error = broken
            if stream.finished:  # a 204: everything was delivered before
                return
            self._connection.sleep(attempts.failed(error))

    def past_events(self) -> Iterator[JobEventResponse]:
        """The events so far, page by page, without waiting for more."""
        return pages(self._connection, lambda limit, after: requests.events_page(self.id, limit, after))

    def checkpoints(self) -> Iterator[CheckpointResponse]:
        """The resumable states it has saved."""
        return pages(self._connection, lambda limit, after: requests.checkpoints(self.id, limit, after))

    def _act(self, action: Literal["cancel", "pause", "resume"]) -> "Job":
        self.response = self._connection.send(requests.act(self.id, action))
        return self
