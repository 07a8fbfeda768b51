"""What a death left wrong is put right, once, and what is right is left alone."""

import pytest

from services.jobs.ledger import Ledger
from services.jobs.liveness import Heartbeat, beat
from services.jobs.records import Job
from services.jobs.states import JobState
from services.jobs.sweep import Sweep
from tests.unit.services.jobs.conftest import Bench, FakeCarrier, small

MAX_LOSSES = 3


class Scene:
    """One sweeping worker, `me`, and others on other hosts."""

    def __init__(self, bench: Bench) -> None:
        assert isinstance(bench.carrier, FakeCarrier)
        self.bench = bench
        self.queue = bench.carrier.carried
        self.active: set[str] = set()
        self.sweep = Sweep(
            bench.database,
            bench.artifacts,
            bench.carrier,
            bench.clock,
            "me",
            MAX_LOSSES,
            lambda: self.active,
        )
        self.live("me")

    def live(self, worker: str) -> None:
        """Let a worker on another host give a sign of life."""
        now = self.bench.clock.now()
        with self.bench.database.write() as session:
            beat(session, Heartbeat(worker, "elsewhere", 1, now, now), now)

    def ledger(self, worker: str) -> Ledger:
        bench = self.bench
        return Ledger(bench.database, bench.artifacts, bench.registry, bench.clock, worker)

    def taken_by(self, worker: str) -> Job:
        """A new job that a worker runs, as rows and queue have it."""
        submitted = self.bench.jobs.submit(small())
        return self.take(submitted, worker)

    def take(self, job: Job, worker: str) -> Job:
        self.queue[job.id, job.turn] = ("held", worker)
        taken = self.ledger(worker).take(job.id, job.turn)
        assert taken is not None
        return taken

    def job(self, job: Job) -> Job:
        return self.bench.jobs.job(job.id)


@pytest.fixture
def scene(bench: Bench) -> Scene:
    return Scene(bench)


def test_a_dead_workers_job_goes_on_in_the_same_workflow(scene: Scene) -> None:
    job = scene.taken_by("dead")
    scene.sweep.once()
    after = scene.job(job)
    assert (after.status, after.worker, after.turn, after.losses) == (JobState.QUEUED, None, 1, 1)
    assert scene.queue[job.id, 1] == ("waiting", None)
    assert [event.type for event in scene.bench.jobs.events(job.id).data][-2:] == ["log", "status"]


def test_a_living_workers_job_is_left_alone(scene: Scene) -> None:
    scene.live("other")
    job = scene.taken_by("other")
    scene.sweep.once()
    assert scene.job(job) == job
    assert scene.queue[job.id, 1] == ("held", "other")


def test_silence_is_death(scene: Scene) -> None:
    scene.live("other")
    job = scene.taken_by("other")
    scene.bench.clock.advance(16)
    scene.live("me")
    scene.sweep.once()
    assert scene.job(job).status is JobState.QUEUED


def test_a_second_sweep_finds_nothing_to_do(scene: Scene) -> None:
    job = scene.taken_by("dead")
    scene.sweep.once()
    before, queue = scene.job(job), dict(scene.queue)
    scene.sweep.once()
    assert scene.job(job) == before
    assert scene.queue == queue


def test_a_job_that_keeps_killing_its_workers_fails(scene: Scene) -> None:
    job = scene.bench.jobs.submit(small())
    for loss in range(MAX_LOSSES):
        assert scene.job(job).losses == loss
        scene.take(job, f"dead-{loss}")
        scene.sweep.once()
    ended = scene.job(job)
    assert ended.status is JobState.FAILED
    assert ended.error is not None
    assert ended.error.code == "worker_lost"
    assert ended.attempts == MAX_LOSSES
    assert scene.bench.jobs.events(job.id).data[-1].is_last
    assert scene.queue[job.id, 1][0] == "ended"


def test_a_job_that_gets_on_between_deaths_does_not_fail(scene: Scene) -> None:
    job = scene.bench.jobs.submit(small())
    for loss in range(2 * MAX_LOSSES):
        taken = scene.take(job, f"dead-{loss}")
        scene.ledger(f"dead-{loss}").save(taken, loss + 1, b"%d" % loss, {})
        scene.sweep.once()
    assert scene.job(job).status is JobState.QUEUED


def test_a_job_that_never_reached_the_queue_does(scene: Scene) -> None:
    job = scene.bench.jobs.submit(small())
    scene.queue.clear()
    scene.sweep.once()
    assert scene.queue == {(job.id, 1): ("waiting", None)}


def test_a_queued_job_whose_workflow_ended_gets_another(scene: Scene) -> None:
    job = scene.bench.jobs.submit(small())
    scene.queue[job.id, 1] = ("ended", None)
    scene.sweep.once()
    assert scene.job(job).turn == 2
    assert scene.queue[job.id, 2] == ("waiting", None)


@pytest.mark.parametrize("act", ["cancel", "pause"])
def test_a_dead_workers_workflow_ends_where_its_turn_is_over(scene: Scene, act: str) -> None:
    job = scene.taken_by("dead")
    getattr(scene.bench.jobs, act)(job.id)
    before = scene.job(job)
    scene.sweep.once()
    assert scene.queue[job.id, 1] == ("ended", None)
    assert scene.job(job) == before


def test_a_row_that_this_worker_holds_without_having_it_in_hand_is_given_another_try(scene: Scene) -> None:
    kept, dropped = scene.taken_by("me"), scene.taken_by("me")
    scene.active = {kept.id}
    scene.sweep.once()
    assert scene.job(dropped).status is JobState.RUNNING
    scene.queue[dropped.id, 1] = ("ended", None)
    scene.sweep.once()
    assert scene.job(kept).status is JobState.RUNNING
    assert (scene.job(dropped).status, scene.job(dropped).turn) == (JobState.QUEUED, 2)
    assert scene.queue[dropped.id, 2] == ("waiting", None)


def test_only_the_last_checkpoint_of_an_ended_job_is_kept(scene: Scene) -> None:
    job = scene.taken_by("me")
    for iteration in (1, 2, 3, 4, 5):
        scene.ledger("me").save(job, iteration, b"state %d" % iteration, {})
    kept = scene.bench.jobs.checkpoints(job.id)
    assert [checkpoint.iteration for checkpoint in kept] == [5, 4, 3]
    scene.sweep.prune()
    assert scene.bench.jobs.checkpoints(job.id) == kept

    scene.bench.jobs.cancel(job.id)
    scene.sweep.prune()
    assert scene.bench.jobs.checkpoints(job.id) == kept[:1]
    assert scene.bench.artifacts.exists(kept[0].sha256)
    assert not any(scene.bench.artifacts.exists(checkpoint.sha256) for checkpoint in kept[1:])
