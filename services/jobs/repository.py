"""Jobs, their events and checkpoints as rows. Knows the tables; decides nothing.

Every method runs inside the session it was given, so that a move and its event are one transaction.
"""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from services.ids import new_id
from services.jobs.records import (
    CheckpointRecord,
    EventType,
    Job,
    JobEvent,
    JobFailure,
    JobResult,
    Progress,
    Publish,
)
from services.jobs.states import JobState
from services.storage.paging import Page, mapped, paginate
from services.storage.tables import CheckpointRow, JobEventRow, JobRow


class JobRepository:
    """All that is stored about jobs, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, job: Job) -> None:
        plain: dict[str, Any] = msgspec.structs.asdict(job)
        plain["status"] = job.status.value
        for name in ("publish", "progress", "result", "error"):
            plain[name] = msgspec.to_builtins(plain[name])
        self._session.add(JobRow(**plain))
        self._session.flush()

    def get(self, job_id: str) -> Job | None:
        row = self._session.get(JobRow, job_id)
        return None if row is None else _job(row)

    def locked(self, job_id: str) -> Job | None:
        """The job, kept from every other writer until the transaction ends."""
        query = select(JobRow).where(JobRow.id == job_id).with_for_update()
        row = self._session.scalars(query, execution_options={"populate_existing": True}).one_or_none()
        return None if row is None else _job(row)

    def page(self, limit: int, after: str | None, status: JobState | None, model: str | None) -> Page[Job]:
        rows = select(JobRow)
        if status is not None:
            rows = rows.where(JobRow.status == status.value)
        if model is not None:
            rows = rows.where(JobRow.model == model)
        return mapped(paginate(self._session, rows, (JobRow.created_at, JobRow.id), limit, after), _job)

    def in_state(self, state: JobState) -> list[Job]:
        """Every job in one state, oldest first. For queued, running and paused ones: the others pile up."""
        rows = select(JobRow).where(JobRow.status == state.value).order_by(JobRow.created_at, JobRow.id)
        return [_job(row) for row in self._session.scalars(rows)]

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state, zeros included."""
        by_status = select(JobRow.status, func.count()).group_by(JobRow.status)
        found = {status: count for status, count in self._session.execute(by_status)}  # noqa: C416
        return {state.value: 0 for state in JobState} | found

    def change(self, job: Job, state: JobState | None = None, **changes: Any) -> Job:
        """Write to a job that this transaction has `locked`, and take it to `state` where one is given.

        Raises ValueError where it may not go there: whoever calls has to look before.
        """
        if state is not None:
            if not job.status.may_become(state):
                raise ValueError(f"a job that is {job.status} cannot become {state}")
            changes["status"] = state.value
        row = self._session.get_one(JobRow, job.id)
        for name, value in changes.items():
            setattr(row, name, msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else value)
        self._session.flush()
        return _job(row)

    def append(self, job_id: str, kind: EventType, data: dict[str, Any], now: datetime) -> JobEvent:
        """Write the job's next event."""
        # Two writers would draw the same sequence; the job's row serialises them where the database does not.
        self._session.execute(select(JobRow.id).where(JobRow.id == job_id).with_for_update())
        last = self._session.scalar(select(func.max(JobEventRow.sequence)).where(JobEventRow.job == job_id))
        row = JobEventRow(
            job=job_id, sequence=(last or 0) + 1, id=new_id("evt"), type=kind, data=data, created_at=now
        )
        self._session.add(row)
        self._session.flush()
        return _event(row)

    def events(self, job_id: str, after: int, limit: int) -> list[JobEvent]:
        """Events with a sequence above `after`, oldest first."""
        rows = (
            select(JobEventRow)
            .where(JobEventRow.job == job_id, JobEventRow.sequence > after)
            .order_by(JobEventRow.sequence)
            .limit(limit)
        )
        return [_event(row) for row in self._session.scalars(rows)]

    def sequence_of(self, job_id: str, event_id: str) -> int | None:
        """Where in the job's events the one with this id stands."""
        return self._session.scalar(
            select(JobEventRow.sequence).where(JobEventRow.id == event_id, JobEventRow.job == job_id)
        )

    def last_metric(self, job_id: str) -> dict[str, Any] | None:
        """The data of the job's latest metric event."""
        return self._session.scalar(
            select(JobEventRow.data)
            .where(JobEventRow.job == job_id, JobEventRow.type == "metric")
            .order_by(JobEventRow.sequence.desc())
            .limit(1)
        )

    def add_checkpoint(self, record: CheckpointRecord) -> None:
        """Keep a checkpoint; one of the same iteration (work that was repeated after a crash) gives way."""
        self._session.execute(
            delete(CheckpointRow).where(
                CheckpointRow.job == record.job, CheckpointRow.iteration == record.iteration
            )
        )
        self._session.add(
            CheckpointRow(
                id=record.id,
                job=record.job,
                iteration=record.iteration,
                artifact_sha256=record.sha256,
                artifact_bytes=record.bytes,
                metrics=record.metrics,
                created_at=record.created_at,
            )
        )
        self._session.flush()

    def checkpoints(self, job_id: str) -> list[CheckpointRecord]:
        """A job's checkpoints, latest first."""
        rows = (
            select(CheckpointRow)
            .where(CheckpointRow.job == job_id)
            .order_by(CheckpointRow.iteration.desc(), CheckpointRow.id)
        )
        return [_checkpoint(row) for row in self._session.scalars(rows)]

    def drop_checkpoints(self, job_id: str, keep: int) -> list[str]:
        """Forget all but the latest `keep`; the digests of the files that their rows named."""
        dropped = self.checkpoints(job_id)[keep:]
        self._session.execute(delete(CheckpointRow).where(CheckpointRow.id.in_([one.id for one in dropped])))
        return sorted({one.sha256 for one in dropped})

    def ended_with_checkpoints(self, more_than: int) -> list[str]:
        """Ids of ended jobs that still have more than so many checkpoints."""
        terminal = [state.value for state in JobState if state.is_terminal]
        ended = exists().where(JobRow.id == CheckpointRow.job, JobRow.status.in_(terminal))
        jobs = select(CheckpointRow.job).where(ended).group_by(CheckpointRow.job)
        return list(self._session.scalars(jobs.having(func.count() > more_than)))


def _job(row: JobRow) -> Job:
    return Job(
        id=row.id,
        type=row.type,  # type: ignore[arg-type]
        status=JobState(row.status),
        model=row.model,
        config=row.config,
        publish=msgspec.convert(row.publish, Publish),
        progress=msgspec.convert(row.progress, Progress),
        metrics=row.metrics,
        result=msgspec.convert(row.result, JobResult | None),
        error=msgspec.convert(row.error, JobFailure | None),
        attempts=row.attempts,
        worker=row.worker,
        turn=row.turn,
        losses=row.losses,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _event(row: JobEventRow) -> JobEvent:
    return JobEvent(
        id=row.id,
        job=row.job,
        sequence=row.sequence,
        type=row.type,  # type: ignore[arg-type]
        data=row.data,
        created_at=row.created_at,
    )


def _checkpoint(row: CheckpointRow) -> CheckpointRecord:
    return CheckpointRecord(
        id=row.id,
        job=row.job,
        iteration=row.iteration,
        sha256=row.artifact_sha256,
        bytes=row.artifact_bytes,
        metrics=row.metrics,
        created_at=row.created_at,
    )
