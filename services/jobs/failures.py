"""Why a job failed, in words for its author: never a traceback. Imports no torch."""

from services.errors import NotFound, ServiceError
from services.jobs.records import JobFailure

_NO_MEMORY = ("out of memory", "can't allocate memory")


class Unsuitable(Exception):
    """The configuration does not fit its dataset, or itself; found only when the job was prepared."""


class Diverged(Exception):
    """The loss stopped being a number: this configuration does not train."""


def failure_of(error: BaseException) -> JobFailure:
    """What to tell about an error that ended a job. Whatever is not known is the service's own fault."""
    if isinstance(error, Unsuitable):
        return JobFailure("invalid_configuration", str(error), "user")
    if isinstance(error, Diverged):
        return JobFailure("diverged", str(error), "user")
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return JobFailure(
            "out_of_memory",
            "the job needs more memory than the worker has: lower meta_batch_size, n_way, n_query, n_trajectories "
            "or inner_steps",
            "user",
        )
    if isinstance(error, NotFound):
        return JobFailure("missing", error.detail, "user")
    if isinstance(error, ServiceError):
        return JobFailure("service", error.detail, "server")
    return JobFailure("internal", "an internal error ended this job; the worker's log has it", "server")


def lost(workers: int) -> JobFailure:
    """A job that kept killing those who ran it."""
    return JobFailure(
        "worker_lost",
        f"{workers} workers in a row died while running this job, most likely for want of memory: "
        "lower meta_batch_size, n_way, n_query, n_trajectories or inner_steps, or give the worker more",
        "server",
    )
