"""Putting right what a death left wrong: rows whose worker is gone, rows and queue that disagree.

Every worker sweeps; each job is put right under a lock on its row, after a fresh look, so that two sweeps do
nothing twice. Knows rows, heartbeats and the queue; runs nothing.
"""

import logging
from collections.abc import Callable, Collection

import msgspec

from services.clock import Clock
from services.jobs.carrier import Carried, Carrier
from services.jobs.failures import lost
from services.jobs.liveness import SILENCE, forget, heartbeats, is_alive
from services.jobs.records import Job
from services.jobs.repository import JobRepository
from services.jobs.states import JobState
from services.storage.artifacts import ArtifactStore
from services.storage.database import Database
from services.storage.references import release

_log = logging.getLogger(__name__)


class Sweep:
    """Called again and again by one worker; safe beside the sweeps of others."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        carrier: Carrier,
        clock: Clock,
        own: str,
        max_losses: int,
        active: Callable[[], Collection[str]],
    ) -> None:
        """`own` is this worker's id, and `active` gives the ids of the jobs that it has in hand."""
        self._database = database
        self._artifacts = artifacts
        self._carrier = carrier
        self._clock = clock
        self._own = own
        self._max_losses = max_losses
        self._active = active
        self._dropped: set[str] = set()

    def once(self) -> None:
        """One round. Raises what database and queue raise; the next round starts afresh."""
        now = self._clock.now()
        with self._database.read() as session:
            known = heartbeats(session)
            running = JobRepository(session).in_state(JobState.RUNNING)
        living = {self._own, *(one.worker for one in known if is_alive(one, now, SILENCE))}
        for job in running:
            if job.worker not in living or self._is_dropped(job):
                self._take_away(job)
        unfinished = self._carrier.unfinished()
        for carried in unfinished:
            if carried.status == "held" and carried.executor not in living:
                self._free(carried, living)
        with self._database.read() as session:
            queued = JobRepository(session).in_state(JobState.QUEUED)
        turns = {(carried.job, carried.turn) for carried in unfinished}
        for job in queued:
            if (job.id, job.turn) not in turns:
                self._carry(job)
        dead = [one.worker for one in known if one.worker not in living]
        if dead:
            with self._database.write() as session:
                forget(session, dead)

    def prune(self) -> None:
        """Drop the checkpoints of ended jobs but for the last: a job may end with no worker to tidy up."""
        dropped: list[str] = []
        with self._database.write() as session:
            jobs = JobRepository(session)
            for job_id in jobs.ended_with_checkpoints(more_than=1):
                dropped += jobs.drop_checkpoints(job_id, 1)
        for sha256 in dropped:
            release(self._database, self._artifacts, sha256)

    def _is_dropped(self, job: Job) -> bool:
        """Whether this worker holds the row without having the job in hand, two rounds running.

        A step that could not write its outcome leaves such a row. One round is no proof: a row is taken just
        before the job is in hand.
        """
        if job.worker != self._own or job.id in self._active():
            self._dropped.discard(job.id)
            return False
        if job.id in self._dropped:
            self._dropped.discard(job.id)
            return True
        self._dropped.add(job.id)
        return False

    def _take_away(self, seen: Job) -> None:
        """Queue a running job that nobody runs again; the same turn goes on, for its workflow did not end."""
        now = self._clock.now()
        with self._database.write() as session:
            jobs = JobRepository(session)
            job = jobs.locked(seen.id)
            if job is None or job.status is not JobState.RUNNING or job.worker != seen.worker:
                return
            losses = job.losses + 1
            waiting = msgspec.structs.replace(job.progress, eta_seconds=None)
            if losses >= self._max_losses:
                failed = jobs.change(
                    job,
                    JobState.FAILED,
                    worker=None,
                    losses=losses,
                    error=lost(losses),
                    progress=waiting,
                    finished_at=now,
                )
                jobs.append(job.id, "status", failed.document, now)
                return
            queued = jobs.change(job, JobState.QUEUED, worker=None, losses=losses, progress=waiting)
            told = {
                "level": "warning",
                "message": "the worker was lost; the job goes on from its last checkpoint",
            }
            jobs.append(job.id, "log", told, now)
            jobs.append(job.id, "status", queued.document, now)
        _log.warning("job taken from a lost worker", extra={"job": seen.id, "worker": seen.worker})

    def _free(self, seen: Carried, living: Collection[str]) -> None:
        """A workflow whose executor died goes on elsewhere, or ends where its turn is over."""
        # The lock is on the job's row; what the queue says is read again under it, for DBOS would take a
        # workflow even from a living executor.
        with self._database.write() as session:
            job = JobRepository(session).locked(seen.job)
            present = self._carrier.look(seen.job, seen.turn)
            if present is None or present.status != "held" or present.executor in living:
                return
            if job is not None and job.status is JobState.QUEUED and job.turn == seen.turn:
                self._carrier.resume(seen.job, seen.turn)
            else:
                self._carrier.cancel(seen.job, seen.turn)

    def _carry(self, seen: Job) -> None:
        """A queued job that no workflow carries gets one."""
        present = self._carrier.look(seen.id, seen.turn)
        if present is not None and present.status != "ended":
            return
        turn = seen.turn
        if present is not None:
            with self._database.write() as session:
                jobs = JobRepository(session)
                job = jobs.locked(seen.id)
                if job is None or job.status is not JobState.QUEUED or job.turn != seen.turn:
                    return
                turn = jobs.change(job, turn=job.turn + 1).turn
        self._carrier.enqueue(seen.id, turn)
