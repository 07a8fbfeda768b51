"""A turn's steps in this process: order, failure, and what a job leaves behind. No queue."""

import io
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.build import build_policy_learner
from models.programs.folder import ProgramFolder
from models.spec import BoxSpace
from models.training.compile_program import COMPILER
from models.training.planner import Planner
from models.training.plans import LoopPlan
from services.errors import Unavailable
from services.jobs.ledger import Ledger
from services.jobs.meta_training import MetaTraining
from services.jobs.records import Job
from services.jobs.repository import JobRepository
from services.jobs.settings import WorkerSettings
from services.jobs.states import JobState
from services.jobs.steps import Steps
from services.jobs.workflow import carry
from services.storage.manifest import decode_artifact
from tests.unit.services.jobs.conftest import Bench, small

SETTINGS = WorkerSettings(worker_device="cpu", worker_threads=1)


class Hand:
    """A worker's steps without the worker: each step runs at once, and its name is kept."""

    def __init__(
        self,
        bench: Bench,
        worker: str = "me",
        settings: WorkerSettings = SETTINGS,
        programs: ProgramFolder | None = None,
    ) -> None:
        self.bench = bench
        ledger = Ledger(bench.database, bench.artifacts, bench.registry, bench.clock, worker)
        self.steps = Steps(ledger, bench.artifacts, bench.datasets, bench.clock, settings, programs)
        self.taken: list[str] = []

    def carry(self, job: Job) -> Job:
        """Carry one turn of the job; the job after it."""
        carry(self.steps, self.step, job.id, job.turn)
        return self.bench.jobs.job(job.id)

    def step(self, name: str, work: Any, *arguments: Any) -> Any:
        self.taken.append(name)
        return work(*arguments)


@pytest.fixture
def hand(bench: Bench) -> Hand:
    return Hand(bench)


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


def test_letters_in_alphabets_become_a_classifier(hand: Hand) -> None:
    file = io.BytesIO()
    targets = np.arange(8).repeat(3)
    images = np.random.default_rng(0).integers(0, 256, (len(targets), 16, 16), dtype=np.uint8)
    np.savez(file, inputs=images, targets=targets, tasks=np.array(["greek", "latin"])[targets % 2])
    dataset, _ = hand.bench.datasets.create("letters", "application/x-npz", file.getvalue())
    tasks = {"dataset": dataset.id, "n_way": 3, "n_query": 1, "within_task": True, "test_tasks": ["latin"]}
    ended = hand.carry(
        hand.bench.jobs.submit(
            {
                "model": "letters",
                "learner": {"algorithm": {"name": "protonet"}, "network": {"name": "conv4", "hidden": 8}},
                "tasks": tasks,
                "training": {"iterations": 2, "meta_batch_size": 2, "test_episodes": 3},
            }
        )
    )
    assert ended.status is JobState.SUCCEEDED, ended.error
    version = hand.bench.registry.resolve("letters")
    assert version.task == "classification"
    assert version.signature.inputs.example_shape == (16, 16, 1)
    assert 0.0 <= version.metrics["meta_test"]["accuracy"] <= 1.0


POLICY: dict[str, Any] = {
    "model": "walker",
    "learner": {"algorithm": {"name": "maml_policy"}, "network": {"name": "mlp", "hidden": [8]}},
    "tasks": {"family": "navigation", "n_trajectories": 2, "horizon": 5},
    "training": {"iterations": 3, "meta_batch_size": 2, "test_episodes": 2},
}


def test_a_policy_is_trained_saved_tested_and_published_like_everything_else(hand: Hand) -> None:
    ended = hand.carry(hand.bench.jobs.submit(POLICY))
    assert ended.status is JobState.SUCCEEDED, ended.error
    assert {"meta_loss", "return_step_0", "return_step_1"} <= ended.metrics.keys()
    assert hand.bench.jobs.checkpoints(ended.id)
    version = hand.bench.registry.resolve("walker")
    assert version.task == "policy"
    assert version.signature.actions == BoxSpace(shape=(2,), low=-0.1, high=0.1)
    assert {f"return_step_{n}" for n in range(4)} <= version.metrics["meta_test"].keys()
    manifest, params = decode_artifact(hand.bench.artifacts.read(version.artifact_sha256))
    learner = build_policy_learner(manifest.learner, manifest.signature)
    assert params.keys() == learner.init(torch.Generator()).keys()


def test_a_lifetime_is_a_job_as_well(hand: Hand) -> None:
    training = {"iterations": 4, "meta_batch_size": 1, "test_episodes": 2, "outer": {"name": "lifetime"}}
    ended = hand.carry(hand.bench.jobs.submit(POLICY | {"training": training}))
    assert ended.status is JobState.SUCCEEDED, ended.error
    assert {"return_step_0", "discount", "gae_lambda", "inner_lr"} <= ended.metrics.keys()
    assert hand.bench.registry.resolve("walker").task == "policy"


def test_an_environment_without_its_packages_is_told(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.setitem(sys.modules, "gymnasium.vector", None)
    draft = {
        **POLICY,
        "tasks": {"family": "cheetah", "goal": "velocity", "n_trajectories": 2, "horizon": 200},
    }
    failed = hand.carry(hand.bench.jobs.submit(draft))
    assert failed.error is not None
    assert failed.error.code == "invalid_configuration"
    assert "install the extra `rl`" in failed.error.message


def test_examples_that_give_no_episode_are_the_authors_to_change(hand: Hand) -> None:
    file = io.BytesIO()
    classes = np.arange(10).repeat(2)
    inputs = np.arange(60, dtype=np.float32).reshape(20, 3)
    np.savez(file, inputs=inputs, targets=classes, tasks=classes)
    dataset, _ = hand.bench.datasets.create("thin", "application/x-npz", file.getvalue())
    job = hand.bench.jobs.submit(
        {
            "model": "thin",
            "learner": {"algorithm": {"name": "protonet"}, "network": {"name": "mlp"}},
            "tasks": {"dataset": dataset.id, "n_way": 5, "n_shot": 1, "n_query": 1, "within_task": True},
        }
    )
    failed = hand.carry(job)
    assert failed.status is JobState.FAILED
    assert failed.error is not None
    assert (failed.error.code, failed.error.fault) == ("invalid_configuration", "user")
    assert "5-way episodes within a task need 5 classes of at least 2 examples in one" in failed.error.message


@pytest.mark.parametrize(
    ("error", "code", "fault"),
    [
        (RuntimeError("secret detail"), "internal", "server"),
        (MemoryError(), "out_of_memory", "user"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "out_of_memory", "user"),
    ],
)
def test_a_defect_is_told_without_its_traceback(
    hand: Hand,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    code: str,
    fault: str,
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(MetaTraining, "run", broken)
    with caplog.at_level(logging.WARNING):
        failed = hand.carry(hand.bench.jobs.submit(small()))
    assert failed.error is not None
    assert (failed.error.code, failed.error.fault) == (code, fault)
    assert "secret" not in failed.error.message
    assert ("secret detail" in caplog.text) == (code == "internal")
    assert hand.steps.active == set()


def away(*_: object, **__: object) -> None:
    raise Unavailable("the database cannot answer now")


def test_training_goes_on_without_the_database(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    job = hand.bench.jobs.submit(small())
    hand.steps.begin(job.id, job.turn)
    with monkeypatch.context() as broken:
        for write in ("report", "note", "save"):
            broken.setattr(Ledger, write, away)
        assert hand.steps.train(job.id, job.turn) == "trained"
    assert hand.bench.jobs.checkpoints(job.id) == []
    scores = hand.steps.evaluate(job.id, job.turn)
    assert scores is not None
    hand.steps.publish(job.id, job.turn, scores)
    assert hand.bench.jobs.job(job.id).status is JobState.SUCCEEDED


def test_without_the_database_nothing_is_published_and_nothing_failed(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = hand.bench.jobs.submit(small())
    hand.steps.begin(job.id, job.turn)
    hand.steps.train(job.id, job.turn)
    scores = hand.steps.evaluate(job.id, job.turn)
    assert scores is not None
    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "succeed", away)
        with pytest.raises(Unavailable):
            hand.steps.publish(job.id, job.turn, scores)
    # In nobody's hands, for the sweep to find.
    assert hand.steps.active == set()
    assert hand.bench.jobs.job(job.id).status is JobState.RUNNING
