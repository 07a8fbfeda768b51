"""A turn's steps in this process: order, whose hands a job is in, and what it leaves behind. No queue."""

from pathlib import Path

import pytest

from models.programs.folder import ProgramFolder
from models.training.compile_program import COMPILER
from models.training.planner import Planner
from models.training.plans import LoopPlan
from services.jobs.meta_training import MetaTraining
from services.jobs.records import Job
from services.jobs.repository import JobRepository
from services.jobs.states import JobState
from tests.unit.services.jobs.conftest import SETTINGS, Bench, Hand, small


def test_a_turn_is_taken_in_order(hand: Hand) -> None:
    ended = hand.carry(hand.bench.jobs.submit(small()))
    assert ended.status is JobState.SUCCEEDED, ended.error
    assert hand.taken == ["begin", "train", "evaluate", "publish"]
    assert hand.steps.active == set()
    assert ended.progress.fraction == 1.0
    assert ended.finished_at == hand.bench.clock.now()


def test_a_version_says_which_iterations_were_taken_how(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def to_loop(planner: Planner) -> None:
        trainer = planner._trainer
        if trainer.plan.name == "vmap":
            trainer.use(LoopPlan(trainer.step))

    monkeypatch.setattr(Planner, "turn", to_loop)
    settings = SETTINGS.model_copy(update={"worker_checkpoint_seconds": 1e-3, "worker_plans": "measured"})
    hand = Hand(bench, settings=settings, programs=ProgramFolder(tmp_path / "compiled", COMPILER))
    ended = hand.carry(bench.jobs.submit(small()))
    assert ended.status is JobState.SUCCEEDED, ended.error
    first, second = bench.registry.resolve("m").training["plans"]
    assert (first, second["plan"]) == ({"first": 0, "plan": "vmap"}, "loop")
    told = [event.data["message"] for event in bench.jobs.events(ended.id).data if event.type == "log"]
    assert f"from iteration {second['first']} on by the plan loop" in told


def test_with_one_plan_nothing_is_measured(bench: Bench, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"worker_plans": "vmap"})
    hand = Hand(bench, settings=settings, programs=ProgramFolder(tmp_path / "compiled", COMPILER))
    assert hand.carry(bench.jobs.submit(small())).status is JobState.SUCCEEDED
    assert bench.registry.resolve("m").training["plans"] == [{"first": 0, "plan": "vmap"}]
    assert not (tmp_path / "compiled").exists()


def test_a_turn_that_is_over_is_not_begun(hand: Hand) -> None:
    job = hand.bench.jobs.submit(small())
    hand.bench.jobs.pause(job.id)
    hand.bench.jobs.resume(job.id)
    assert hand.carry(job).status is JobState.QUEUED
    assert hand.taken == ["begin"]
    assert hand.carry(hand.bench.jobs.job(job.id)).status is JobState.SUCCEEDED


def test_a_job_is_run_by_one_worker(hand: Hand) -> None:
    job = hand.bench.jobs.submit(small())
    assert hand.steps.begin(job.id, job.turn)
    other = Hand(hand.bench, "other")
    assert not other.steps.begin(job.id, job.turn)
    assert other.steps.train(job.id, job.turn) == "over"
    assert hand.bench.jobs.job(job.id).worker == "me"


def test_a_workflow_that_goes_on_elsewhere_needs_only_the_steps_that_are_left(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = hand.bench.jobs.submit(small())
    assert hand.steps.begin(job.id, job.turn)
    assert hand.steps.train(job.id, job.turn) == "trained"
    scores = hand.steps.evaluate(job.id, job.turn)
    assert scores is not None
    _lose(hand.bench, job)

    def no_training(*_: object) -> None:
        raise AssertionError("everything was trained already")

    monkeypatch.setattr(MetaTraining, "run", no_training)
    Hand(hand.bench, "other").steps.publish(job.id, job.turn, scores)
    ended = hand.bench.jobs.job(job.id)
    assert ended.status is JobState.SUCCEEDED
    assert ended.metrics["meta_test"] == scores["meta_test"]


def test_a_turn_that_ends_late_leaves_the_next_one_in_hand(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = hand.bench.jobs.submit(small())
    run = MetaTraining.run

    def overtaken(training: MetaTraining, iterations: int) -> dict[str, float]:
        monkeypatch.setattr(MetaTraining, "run", run)
        hand.bench.jobs.pause(job.id)
        hand.bench.jobs.resume(job.id)
        assert hand.steps.begin(job.id, job.turn + 1)
        return run(training, iterations)

    monkeypatch.setattr(MetaTraining, "run", overtaken)
    assert hand.steps.begin(job.id, job.turn)
    assert hand.steps.train(job.id, job.turn) == "over"
    assert hand.steps.active == {job.id}
    assert hand.carry(hand.bench.jobs.job(job.id)).status is JobState.SUCCEEDED


def _lose(bench: Bench, job: Job) -> None:
    """Queue the job again as the sweep does when its worker is gone."""
    with bench.database.write() as session:
        jobs = JobRepository(session)
        present = jobs.locked(job.id)
        assert present is not None
        jobs.change(present, JobState.QUEUED, worker=None, losses=1)


def test_a_lost_checkpoint_file_costs_time_not_the_job(hand: Hand) -> None:
    job = hand.bench.jobs.submit(small())
    hand.steps.begin(job.id, job.turn)
    hand.steps.train(job.id, job.turn)
    (kept,) = hand.bench.jobs.checkpoints(job.id)
    hand.bench.artifacts.delete(kept.sha256)
    _lose(hand.bench, job)
    assert Hand(hand.bench, "other").carry(job).status is JobState.SUCCEEDED


def test_a_leaving_worker_gives_its_job_back(hand: Hand) -> None:
    job = hand.bench.jobs.submit(small(iterations=100_000))
    hand.steps.begin(job.id, job.turn)
    hand.steps.leave()
    assert hand.steps.train(job.id, job.turn) == "over"
    given_back = hand.bench.jobs.job(job.id)
    assert (given_back.status, given_back.worker, given_back.turn) == (JobState.QUEUED, None, 2)
    assert hand.steps.active == set()


def test_a_meta_test_is_broken_off_by_a_cancel(hand: Hand) -> None:
    job = hand.bench.jobs.submit(small(test_episodes=10_000))
    hand.steps.begin(job.id, job.turn)
    assert hand.steps.train(job.id, job.turn) == "trained"
    cancelled = hand.bench.jobs.cancel(job.id)
    assert hand.steps.evaluate(job.id, job.turn) is None
    assert hand.bench.jobs.job(job.id) == cancelled
