"""Jobs on tables whose tasks are people: from the upload to a version that tells its columns, phases and split."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.datasets.records import Dataset, DatasetColumns
from services.errors import Invalid
from services.jobs.states import JobState
from services.jobs.steps import Steps
from tests.unit.services.jobs.conftest import Bench, Hand

PARQUET = "application/vnd.apache.parquet"
MAML = {"algorithm": {"name": "maml"}, "network": {"name": "mlp", "hidden": [8]}}
SHORT = {"iterations": 12, "meta_batch_size": 3, "test_episodes": 10}


@pytest.fixture
def hand(bench: Bench) -> Hand:
    return Hand(bench)


def _upload(bench: Bench, people: int = 6, rows: int = 9, **columns: Any) -> Dataset:
    generator = np.random.default_rng(0)
    total = people * rows
    dose, kind = generator.normal(size=total), generator.choice(["pill", "drops"], total)
    table = {
        "dose": dose,
        "kind": kind,
        "who": np.repeat([f"p{person}" for person in range(people)], rows),
        "when": np.tile(np.arange(rows), people),
        "effect": 300 + 40 * dose + 10 * (kind == "pill") + generator.normal(size=total),
        "better": np.where(dose > 0, "yes", "no"),
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(table), buffer)
    plain = {"inputs": ("dose", "kind"), "target": "effect", "task": "who", "categorical": ("kind",)}
    made, _ = bench.datasets.create("d", PARQUET, buffer.getvalue(), DatasetColumns(**{**plain, **columns}))
    return made


def _draft(dataset: Dataset, learner: dict[str, Any] = MAML, **parts: Any) -> dict[str, Any]:
    tasks = {
        "family": "grouped",
        "dataset": dataset.id,
        "max_shot": 4,
        "n_query": 3,
        **parts.get("tasks", {}),
    }
    training = {**SHORT, **parts.get("training", {})}
    return {"model": "m", "learner": learner, "tasks": tasks, "training": training}


def test_numbers_are_learned_in_their_own_units(hand: Hand) -> None:
    ended = hand.carry(hand.bench.jobs.submit(_draft(_upload(hand.bench))))
    assert ended.status is JobState.SUCCEEDED, ended.error
    version = hand.bench.registry.resolve("m")
    dose, kind = version.signature.columns
    assert (dose.name, kind.categories) == ("dose", ("drops", "pill"))
    assert version.signature.target_columns[0].mean == pytest.approx(300, abs=15)
    split = version.training["split"]
    assert (split["by"], split["n_train"], split["n_test"]) == ("task", 5, 1)
    assert version.metrics["meta_test"]["loss"] > 1


def test_the_three_phases_are_one_job_and_each_is_scored(hand: Hand) -> None:
    pretrain = {"iterations": 30, "batch_size": 32, "lr": 0.02}
    job = hand.bench.jobs.submit(_draft(_upload(hand.bench), training={"pretrain": pretrain}))
    assert job.progress.iterations == 42
    ended = hand.carry(job)
    assert ended.status is JobState.SUCCEEDED, ended.error
    assert ended.progress.iteration == 42
    metrics = hand.bench.registry.resolve("m").metrics
    assert metrics["after_meta_training"] == metrics["meta_test"]
    assert metrics["after_pretraining"]["loss"] < metrics["before"]["loss"]
    events = hand.bench.jobs.events(ended.id).data
    told = [event.data["message"] for event in events if event.type == "log"]
    assert "pretraining from iteration 0 on" in told
    assert "meta-training from iteration 30 on" in told
    phases = [(event.data["phase"], event.data["iteration"]) for event in events if event.type == "metric"]
    assert {phase for phase, iteration in phases if iteration <= 30} == {"pretraining"}
    assert {phase for phase, iteration in phases if iteration > 30} == {"meta_training"}


def test_classes_mean_the_same_for_everybody(hand: Hand) -> None:
    dataset = _upload(hand.bench, target="better", order="when")
    draft = _draft(dataset)
    draft["tasks"]["family"] = "sequences"
    ended = hand.carry(hand.bench.jobs.submit(draft))
    assert ended.status is JobState.SUCCEEDED, ended.error
    version = hand.bench.registry.resolve("m")
    assert version.signature.classes == ("no", "yes")
    assert version.max_ways == 2


def test_a_job_that_was_set_down_in_pretraining_goes_on_from_there(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain = {"iterations": 30, "batch_size": 16}
    dataset = _upload(hand.bench)
    whole = hand.carry(hand.bench.jobs.submit(_draft(dataset, training={"pretrain": pretrain})))
    other = _draft(dataset, training={"pretrain": pretrain})
    job = hand.bench.jobs.submit(other)
    first = Hand(hand.bench, "first")
    assert first.steps.begin(job.id, job.turn)
    _train_a_little(first.steps, job.id, job.turn)
    hand.bench.jobs.pause(job.id)
    assert first.steps.train(job.id, job.turn) == "over"
    resumed = Hand(hand.bench, "second").carry(hand.bench.jobs.resume(job.id))
    assert resumed.status is JobState.SUCCEEDED, resumed.error
    for metric in ("before", "after_pretraining", "meta_test"):
        assert resumed.metrics[metric] == whole.metrics[metric]


def _train_a_little(steps: Steps, job_id: str, turn: int) -> None:
    session = steps._session(job_id, turn)
    assert session is not None
    session._training.run(7)
    session.save()


@pytest.mark.parametrize(
    ("columns", "changes", "pointer"),
    [
        ({"task": None}, {}, "/tasks/dataset"),
        ({}, {"tasks": {"min_shot": 5}}, "/tasks/min_shot"),
        ({}, {"tasks": {"test_tasks": [f"p{person}" for person in range(6)]}}, "/tasks/test_tasks"),
        ({}, {"tasks": {"family": "labelled", "max_shot": None, "n_query": 2}}, "/tasks/dataset"),
        (
            {"target": "better"},
            {"learner": {**MAML, "algorithm": {"name": "protonet"}}},
            "/learner/algorithm/name",
        ),
        ({"target": "better"}, {"learner": {**MAML, "normalise": True}}, "/learner/normalise"),
    ],
)
def test_what_does_not_go_together_is_said_at_once(
    bench: Bench, columns: dict[str, Any], changes: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(Invalid) as error:
        bench.jobs.submit(_draft(_upload(bench, **columns), **changes))
    assert pointer in [fault.pointer for fault in error.value.faults]


def test_people_with_too_few_rows_are_the_authors_to_change(hand: Hand) -> None:
    draft = _draft(_upload(hand.bench, rows=2), tasks={"min_shot": 3})
    failed = hand.carry(hand.bench.jobs.submit(draft))
    assert failed.error is not None
    assert (failed.error.code, failed.error.fault) == ("invalid_configuration", "user")
    assert "at least two tasks of more than min_shot = 3 rows" in failed.error.message
