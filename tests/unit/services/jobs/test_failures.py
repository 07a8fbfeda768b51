"""A job that cannot go on says why and whose it is to change; what storage cannot keep costs no training."""

import io
import logging

import numpy as np
import pytest

from services.errors import Unavailable
from services.jobs.ledger import Ledger
from services.jobs.meta_training import MetaTraining
from services.jobs.states import JobState
from tests.unit.services.jobs.conftest import Hand, small


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
