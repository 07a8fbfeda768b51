"""How a job is waited for: how often to ask, how long to bear a service that is away, what the end means."""

from .errors import APIError, ConnectionFailed, InnerloopError, JobCancelled, JobFailed, WaitTimeout
from .schemas.jobs import TERMINAL, JobResponse

# A restart of the service takes seconds, and jobs go on after one: so does a wait.
PATIENCE_S = 60.0
FIRST_POLL_S, LONGEST_POLL_S = 0.1, 0.5


class Wait:
    """Told of each look at the job and of the time (monotonic, seconds); answers how long to sleep, or raises."""

    def __init__(self, job: str, timeout: float | None, now: float) -> None:
        self._job = job
        self._deadline = None if timeout is None else now + timeout
        self._last_answer = now
        self._poll = FIRST_POLL_S

    def seen(self, job: JobResponse, now: float) -> float | None:
        """None when the job succeeded; else seconds until the next look.

        Raises JobFailed, JobCancelled, or WaitTimeout when the time is up.
        """
        self._last_answer = now
        if job.status == "succeeded":
            return None
        if job.status in TERMINAL:
            raise failure_of(job)
        self._poll = min(self._poll * 1.5, LONGEST_POLL_S)
        return self._within_deadline(self._poll, now)

    def missed(self, error: InnerloopError, now: float) -> float:
        """A look that failed. Raises the error once the service has been away for longer than PATIENCE_S."""
        away = isinstance(error, ConnectionFailed) or (isinstance(error, APIError) and error.status >= 500)
        if not away or now - self._last_answer > PATIENCE_S:
            raise error
        return self._within_deadline(LONGEST_POLL_S, now)

    def _within_deadline(self, sleep: float, now: float) -> float:
        if self._deadline is None:
            return sleep
        if now >= self._deadline:
            raise WaitTimeout(f"{self._job} did not finish in time; it goes on")
        return min(sleep, self._deadline - now)


def failure_of(job: JobResponse) -> JobFailed:
    """The error for a job that ended without a result."""
    if job.status == "cancelled":
        return JobCancelled(job.id, "was cancelled")
    if job.error is None:
        return JobFailed(job.id, "failed and gave no reason")
    return JobFailed(job.id, f"failed: {job.error.message}", code=job.error.code, fault=job.error.fault)
