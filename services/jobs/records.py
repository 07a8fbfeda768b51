"""What a job is, inside the service. Knows no table and no wire; `document` is the job as its events carry it."""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from services.jobs.states import JobState

JobType = Literal["meta_training", "evaluation"]
EventType = Literal["status", "progress", "metric", "checkpoint", "log"]


class Progress(msgspec.Struct, frozen=True):
    """How far a job is; `eta_seconds` is None until there is something to extrapolate from."""

    iteration: int
    iterations: int
    eta_seconds: float | None = None

    @property
    def fraction(self) -> float:
        return self.iteration / self.iterations


class JobFailure(msgspec.Struct, frozen=True):
    """Why a job failed: `fault` tells whether its author or the service's operator has to change something."""

    code: str
    message: str
    fault: Literal["user", "server"]


class Publish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to the new version: `alias` is moved to it."""

    alias: str | None = None


class JobResult(msgspec.Struct, frozen=True):
    """The version that a succeeded job registered, or that it evaluated."""

    model: str
    version: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of background work. `config` is the resolved, complete configuration as plain data.

    A meta-training makes a version of `model`; an evaluation tests one, and its report is its `metrics`.

    `worker` holds it while it runs; `turn` counts how often it was queued, `losses` the workers that died of it
    since its last checkpoint.
    """

    id: str
    type: JobType
    status: JobState
    model: str
    config: dict[str, Any]
    publish: Publish
    progress: Progress
    metrics: dict[str, Any]
    result: JobResult | None
    error: JobFailure | None
    attempts: int
    worker: str | None
    turn: int
    losses: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def document(self) -> dict[str, Any]:
        """The job as JSON-ready data, in the shape that `GET /v1/jobs/{id}` answers."""
        return {
            "object": "job",
            "id": self.id,
            "type": self.type,
            "status": str(self.status),
            "model": self.model,
            "config": self.config,
            "progress": progress_document(self.progress),
            "metrics": self.metrics,
            "result": msgspec.to_builtins(self.result),
            "error": msgspec.to_builtins(self.error),
            "attempts": self.attempts,
            "publish": msgspec.to_builtins(self.publish),
            "created_at": _moment(self.created_at),
            "started_at": _moment(self.started_at),
            "finished_at": _moment(self.finished_at),
        }


def new_job(
    job_id: str,
    kind: JobType,
    model: str,
    config: dict[str, Any],
    publish: Publish,
    iterations: int,
    now: datetime,
) -> Job:
    """A job that nobody has begun, for its first turn in the queue."""
    return Job(
        id=job_id,
        type=kind,
        status=JobState.QUEUED,
        model=model,
        config=config,
        publish=publish,
        progress=Progress(0, iterations),
        metrics={},
        result=None,
        error=None,
        attempts=0,
        worker=None,
        turn=1,
        losses=0,
        created_at=now,
        started_at=None,
        finished_at=None,
    )


class JobEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a job; `sequence` starts at 1 and rises by one within the job.

    `data` by type: status, the whole job; progress, as on the job; metric, `iteration` and the means since the
    one before; checkpoint, its `id`, `iteration` and `bytes`; log, `level` and `message`.
    """

    id: str
    job: str
    sequence: int
    type: EventType
    data: dict[str, Any]
    created_at: datetime

    @property
    def is_last(self) -> bool:
        """Whether no event follows this one."""
        return self.type == "status" and JobState(self.data["status"]).is_terminal


class CheckpointRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Resumable training state after `iteration` outer steps; the file is an artifact of `bytes` bytes."""

    id: str
    job: str
    iteration: int
    sha256: str
    bytes: int
    metrics: dict[str, Any]
    created_at: datetime


def progress_document(progress: Progress) -> dict[str, Any]:
    """Progress as JSON-ready data, in the shape that a job's `progress` has on the wire."""
    return {
        "iteration": progress.iteration,
        "iterations": progress.iterations,
        "fraction": progress.fraction,
        "eta_seconds": progress.eta_seconds,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
