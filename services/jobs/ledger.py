"""A worker's hand on the rows of the jobs that it runs. Every write checks that the job is still its own.

That check, in the same transaction as the write, is what keeps a cancelled job cancelled and a worker that was
taken for dead from writing over its successor.
"""

from typing import Any, Literal

import msgspec

from services.clock import Clock
from services.ids import new_id
from services.jobs.records import (
    CheckpointRecord,
    Job,
    JobFailure,
    JobResult,
    Progress,
    progress_document,
)
from services.jobs.repository import JobRepository
from services.jobs.states import JobState
from services.registry.service import RegistryService
from services.storage.artifacts import ArtifactStore
from services.storage.database import Database
from services.storage.references import keep, release

KEPT_CHECKPOINTS = 3


class NotHeld(Exception):
    """The job is no longer this worker's: `state` is what became of it."""

    def __init__(self, job_id: str, state: JobState | None) -> None:
        super().__init__(f"job {job_id} is {state}")
        self.state = state


class Ledger:
    """What one worker writes about its jobs; all methods but `take` and `checkpoints` raise NotHeld."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        registry: RegistryService,
        clock: Clock,
        worker: str,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._registry = registry
        self._clock = clock
        self._worker = worker

    def take(self, job_id: str, turn: int) -> Job | None:
        """Begin the job, or go on with it. None where this turn of it is over, or another worker has it."""
        now = self._clock.now()
        with self._database.write() as session:
            jobs = JobRepository(session)
            present = jobs.locked(job_id)
            if present is None or present.turn != turn or present.status is not JobState.QUEUED:
                return None
            job = jobs.change(
                present,
                JobState.RUNNING,
                worker=self._worker,
                attempts=present.attempts + 1,
                started_at=present.started_at or now,
            )
            jobs.append(job.id, "status", job.document, now)
        return job

    def report(self, job: Job, progress: Progress, metrics: dict[str, Any], *, event: bool) -> None:
        """Write how far the job is, with an event of it where `event` is set."""
        with self._database.write() as session:
            jobs = JobRepository(session)
            jobs.change(self._held(jobs, job), progress=progress, metrics=metrics)
            if event:
                jobs.append(job.id, "progress", progress_document(progress), self._clock.now())

    def note(self, job: Job, kind: Literal["metric", "log"], data: dict[str, Any]) -> None:
        """Write one event."""
        with self._database.write() as session:
            jobs = JobRepository(session)
            self._held(jobs, job)
            jobs.append(job.id, kind, data, self._clock.now())

    def last_metric_iteration(self, job: Job) -> int:
        """Up to where metric events were written: work that is repeated after a crash writes none twice."""
        with self._database.read() as session:
            data = JobRepository(session).last_metric(job.id)
        return int(data["iteration"]) if data else 0

    def save(self, job: Job, iteration: int, data: bytes, metrics: dict[str, Any]) -> None:
        """Keep a checkpoint, and only the latest few.

        It is kept as long as the job has not ended, held or not: a state that was reached stays true. Lost
        workers are counted from here anew: a job that gets on is not what kills them.
        """
        self._artifacts.put(data)
        now = self._clock.now()
        with self._database.write() as session:
            jobs = JobRepository(session)
            present = jobs.locked(job.id)
            if present is None or present.status.is_terminal:
                raise NotHeld(job.id, present.status if present else None)
            record = CheckpointRecord(
                id=new_id("ckpt"),
                job=job.id,
                iteration=iteration,
                sha256=keep(session, self._artifacts, data),
                bytes=len(data),
                metrics=metrics,
                created_at=now,
            )
            jobs.add_checkpoint(record)
            jobs.change(present, losses=0)
            dropped = jobs.drop_checkpoints(job.id, KEPT_CHECKPOINTS)
            event = {"id": record.id, "iteration": iteration, "bytes": record.bytes}
            jobs.append(job.id, "checkpoint", event, now)
        for sha256 in dropped:
            release(self._database, self._artifacts, sha256)

    def checkpoints(self, job: Job) -> list[CheckpointRecord]:
        """What the job can go on from, latest first."""
        with self._database.read() as session:
            return JobRepository(session).checkpoints(job.id)

    def hand_back(self, job: Job) -> None:
        """Put the job back into the queue: this worker is leaving."""
        now = self._clock.now()
        with self._database.write() as session:
            jobs = JobRepository(session)
            present = self._held(jobs, job)
            waiting = msgspec.structs.replace(present.progress, eta_seconds=None)
            queued = jobs.change(
                present, JobState.QUEUED, worker=None, turn=present.turn + 1, progress=waiting
            )
            jobs.append(job.id, "status", queued.document, now)

    def succeed(self, job: Job, artifact: bytes, progress: Progress, metrics: dict[str, Any]) -> Job:
        """Register the version, move the alias and end the job: all of it or nothing."""
        self._artifacts.put(artifact)
        now = self._clock.now()
        with self._database.write() as session:
            jobs = JobRepository(session)
            present = self._held(jobs, job)
            version = self._registry.publish_in(session, job.model, artifact, job.publish.alias)
            ended = jobs.change(
                present,
                JobState.SUCCEEDED,
                worker=None,
                progress=progress,
                metrics=metrics,
                result=JobResult(version.model, version.version),
                finished_at=now,
            )
            jobs.append(job.id, "status", ended.document, now)
        return ended

    def version_file(self, model: str, version: int) -> bytes:
        """A version that a job evaluates. Raises NotFound where it was deleted, and not NotHeld."""
        return self._registry.artifact(model, version)

    def conclude(self, job: Job, result: JobResult, progress: Progress, metrics: dict[str, Any]) -> Job:
        """End a job that registers nothing."""
        now = self._clock.now()
        with self._database.write() as session:
            jobs = JobRepository(session)
            ended = jobs.change(
                self._held(jobs, job),
                JobState.SUCCEEDED,
                worker=None,
                progress=progress,
                metrics=metrics,
                result=result,
                finished_at=now,
            )
            jobs.append(job.id, "status", ended.document, now)
        return ended

    def fail(self, job: Job, failure: JobFailure) -> None:
        """End the job as failed."""
        now = self._clock.now()
        with self._database.write() as session:
            jobs = JobRepository(session)
            present = self._held(jobs, job)
            waiting = msgspec.structs.replace(present.progress, eta_seconds=None)
            ended = jobs.change(
                present, JobState.FAILED, worker=None, error=failure, finished_at=now, progress=waiting
            )
            jobs.append(job.id, "status", ended.document, now)

    def let_go(self, job: Job) -> None:
        """This turn is over for the worker: a paused job then has none, an ended one no old checkpoints."""
        dropped: list[str] = []
        with self._database.write() as session:
            jobs = JobRepository(session)
            present = jobs.locked(job.id)
            if present is not None and (present.worker, present.turn) == (self._worker, job.turn):
                jobs.change(present, worker=None)
            if present is not None and present.status.is_terminal:
                dropped = jobs.drop_checkpoints(job.id, 1)
        for sha256 in dropped:
            release(self._database, self._artifacts, sha256)

    def _held(self, jobs: JobRepository, job: Job) -> Job:
        present = jobs.locked(job.id)
        if present is None or (present.status, present.worker, present.turn) != (
            JobState.RUNNING,
            self._worker,
            job.turn,
        ):
            raise NotHeld(job.id, present.status if present else None)
        return present
