"""An evaluation from its draft to its report, by the same steps as a training; no queue, no HTTP."""

import io
import sys
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from models.build import build_policy_learner
from models.spec import CheetahSpec, LearnerSpec, MamlPolicySpec, MlpSpec, signature_of
from services.datasets.records import DatasetColumns
from services.errors import Invalid
from services.jobs.evaluation import prepare_evaluation
from services.jobs.evaluation_config import EvaluationConfig
from services.jobs.failures import Unsuitable
from services.jobs.ledger import Ledger
from services.jobs.records import Job
from services.jobs.settings import WorkerSettings
from services.jobs.states import JobState
from services.jobs.steps import Steps
from services.jobs.workflow import carry
from services.storage.manifest import Manifest, decode_artifact, encode_artifact
from tests import small_models
from tests.unit.services.jobs.conftest import Bench, small

SETTINGS = WorkerSettings(worker_device="cpu", worker_threads=1, worker_plans="vmap")
LETTERS: dict[str, Any] = {
    "learner": {"algorithm": {"name": "protonet"}, "network": {"name": "mlp", "hidden": [8]}},
    "training": {"iterations": 5, "meta_batch_size": 2, "test_episodes": 10},
}
POLICY: dict[str, Any] = {
    "learner": {"algorithm": {"name": "maml_policy"}, "network": {"name": "mlp", "hidden": [4]}},
    "tasks": {"family": "navigation", "n_trajectories": 2, "horizon": 5},
    "training": {"iterations": 1, "meta_batch_size": 2, "test_episodes": 2},
}


def worker(bench: Bench, settings: WorkerSettings = SETTINGS, name: str = "me") -> Steps:
    ledger = Ledger(bench.database, bench.artifacts, bench.registry, bench.clock, name)
    return Steps(ledger, bench.artifacts, bench.datasets, bench.clock, settings)


def run(bench: Bench, draft: dict[str, Any], settings: WorkerSettings = SETTINGS) -> Job:
    """The job, ended."""
    job = bench.jobs.submit(draft)
    steps = worker(bench, settings)
    carry(steps, lambda _, work, *arguments: work(*arguments), job.id, job.turn)
    assert steps.active == set()
    return bench.jobs.job(job.id)


def dataset(
    bench: Bench, classes: int, width: int = 4, seed: int = 0, rows: slice | np.ndarray = slice(None)
) -> str:
    """All of it, or some rows; its classes are called by number, and have eight examples each."""
    labels = np.arange(classes).repeat(8)
    rng = np.random.default_rng(seed)
    inputs = 3 * rng.normal(size=(classes, width))[labels] + rng.normal(size=(len(labels), width))
    file = io.BytesIO()
    np.savez(file, inputs=inputs[rows].astype(np.float32), targets=labels[rows].astype(str))
    return bench.datasets.create("letters", "application/x-npz", file.getvalue())[0].id


def letters(bench: Bench, dataset_id: str) -> Job:
    tasks = {"dataset": dataset_id, "n_way": 3, "n_query": 3, "test_fraction": 0.4}
    return run(bench, {"model": "letters", **LETTERS, "tasks": tasks})


def test_a_version_is_evaluated_and_none_is_made(bench: Bench) -> None:
    run(bench, small())
    queued = bench.jobs.submit({"type": "evaluation", "model": "m", "episodes": 30, "seed": 5})
    assert (queued.type, queued.model, queued.progress.iterations) == ("evaluation", "m", 30)
    bench.jobs.cancel(queued.id)
    job = run(bench, {"type": "evaluation", "model": "m", "episodes": 30, "seed": 5})
    assert job.status is JobState.SUCCEEDED, job.error
    assert msgspec.to_builtins(job.result) == {"model": "m", "version": 1}
    assert bench.registry.model("m").latest_version == 1
    assert [row["shots"] for row in job.metrics["per_shot"]] == [1, 2, 3, 5, 10]
    assert [row["steps"] for row in job.metrics["per_step"]] == [0, 1, 5, 10]
    assert job.progress.iteration == job.progress.iterations == 30 * 10
    assert bench.jobs.checkpoints(job.id) == []
    kinds = [event.type for event in bench.jobs.events(job.id).data]
    assert kinds.count("progress") >= 10
    assert kinds[-1] == "status"


def test_it_may_take_several_turns_of_a_chunk(bench: Bench) -> None:
    run(bench, small())
    chopped = SETTINGS.model_copy(update={"worker_checkpoint_seconds": 1e-6})
    draft = {"type": "evaluation", "model": "m@1", "episodes": 10}
    assert run(bench, draft, chopped).metrics == run(bench, draft).metrics


def test_what_a_leaving_worker_did_another_does_again(bench: Bench) -> None:
    run(bench, small())
    draft = {"type": "evaluation", "model": "m", "episodes": 10}
    job = bench.jobs.submit(draft)
    steps = worker(bench, SETTINGS.model_copy(update={"worker_checkpoint_seconds": 1e-6}))
    assert steps.begin(job.id, job.turn)
    assert steps.train(job.id, job.turn) == "more"
    steps.leave()
    assert steps.train(job.id, job.turn) == "over"
    handed_back = bench.jobs.job(job.id)
    assert (handed_back.status, handed_back.turn) == (JobState.QUEUED, 2)
    other = worker(bench, name="other")
    carry(other, lambda _, work, *arguments: work(*arguments), job.id, 2)
    ended = bench.jobs.job(job.id)
    assert ended.status is JobState.SUCCEEDED, ended.error
    assert ended.metrics == run(bench, draft).metrics


def test_a_cancelled_one_stays_cancelled(bench: Bench) -> None:
    run(bench, small())
    job = bench.jobs.submit({"type": "evaluation", "model": "m", "episodes": 10})
    steps = worker(bench)
    assert steps.begin(job.id, job.turn)
    bench.jobs.cancel(job.id)
    assert steps.train(job.id, job.turn) == "over"
    assert steps.active == set()
    assert bench.jobs.job(job.id).status is JobState.CANCELLED


def test_labelled_tasks_are_those_that_were_held_out(bench: Bench) -> None:
    own = dataset(bench, 10)
    letters(bench, own)
    job = run(bench, {"type": "evaluation", "model": "letters", "episodes": 20})
    assert job.status is JobState.SUCCEEDED, job.error
    assert (job.config["tasks"]["dataset"], job.config["whole"]) == (own, False)
    assert [row["shots"] for row in job.metrics["per_shot"]] == [1, 2, 3, 5]
    assert job.metrics["calibration"]["error"] >= 0
    named = run(bench, {"type": "evaluation", "model": "letters", "episodes": 20, "dataset": own})
    assert named.metrics == job.metrics


def test_another_dataset_is_drawn_from_as_a_whole(bench: Bench) -> None:
    letters(bench, dataset(bench, 10))
    other = dataset(bench, 3, seed=1)
    job = run(bench, {"type": "evaluation", "model": "letters", "episodes": 20, "dataset": other})
    assert job.status is JobState.SUCCEEDED, job.error
    assert (job.config["tasks"]["n_way"], job.config["whole"]) == (3, True)
    assert job.metrics["accuracy"] > 1 / 3


@pytest.mark.parametrize("rows", [slice(None, None, -1), slice(0, 64)], ids=["all, turned round", "most"])
def test_what_was_meta_trained_on_is_no_test(bench: Bench, rows: slice) -> None:
    letters(bench, dataset(bench, 10))
    again = dataset(bench, 10, rows=rows)
    job = run(bench, {"type": "evaluation", "model": "letters", "episodes": 5, "dataset": again})
    assert job.error is not None
    assert job.error.code == "invalid_configuration"
    assert "meta-trained on" in job.error.message


def test_what_was_held_out_is_a_test_in_another_dataset_too(bench: Bench) -> None:
    letters(bench, dataset(bench, 10))
    held_out = bench.registry.resolve("letters").training["split"]["test"]
    rows = np.isin(np.arange(10).repeat(8).astype(str), held_out)
    draft = {
        "type": "evaluation",
        "model": "letters",
        "episodes": 5,
        "dataset": dataset(bench, 10, rows=rows),
    }
    job = run(bench, draft)
    assert job.status is JobState.SUCCEEDED, job.error


def test_groups_are_those_that_were_held_out(bench: Bench) -> None:
    """Held-out groups of five rows give up to four; those of another dataset are no groups of this version's."""
    rows = "".join(f"{x},{2 * x + who},p{who}\n" for who in range(8) for x in range(5))
    made, _ = bench.datasets.create(
        "people", "text/csv", f"x,y,who\n{rows}".encode(), DatasetColumns(target="y", task="who")
    )
    learner = {"algorithm": {"name": "maml"}, "network": {"name": "mlp", "hidden": [8]}}
    tasks = {"family": "grouped", "dataset": made.id, "max_shot": 3, "n_query": 2}
    trained = run(bench, {"model": "people", **LETTERS, "learner": learner, "tasks": tasks})
    assert trained.status is JobState.SUCCEEDED, trained.error
    job = run(bench, {"type": "evaluation", "model": "people", "episodes": 20})
    assert job.status is JobState.SUCCEEDED, job.error
    assert [row["shots"] for row in job.metrics["per_shot"]] == [1, 2, 3]
    with pytest.raises(Invalid) as caught:
        bench.jobs.submit({"type": "evaluation", "model": "people", "dataset": dataset(bench, 4)})
    assert "groups" in caught.value.faults[0].detail


def test_a_policy_has_a_return_for_every_step(bench: Bench) -> None:
    trained = run(bench, {"model": "walker", **POLICY})
    assert trained.status is JobState.SUCCEEDED, trained.error
    job = run(bench, {"type": "evaluation", "model": "walker", "episodes": 3})
    assert job.status is JobState.SUCCEEDED, job.error
    assert [row["steps"] for row in job.metrics["per_step"]] == [0, 1, 2, 3]
    assert job.metrics["per_step"][2]["return"] == job.metrics["return_step_2"]
    assert job.config["shots"] == []


def test_more_tasks_than_a_worker_can_hold_are_refused(bench: Bench) -> None:
    tasks = {"family": "tabular_mdp", "states": 200, "actions": 10, "n_trajectories": 1, "horizon": 1}
    trained = run(bench, {"model": "walker", **POLICY, "tasks": tasks})
    assert trained.status is JobState.SUCCEEDED, trained.error
    with pytest.raises(Invalid) as caught:
        bench.jobs.submit({"type": "evaluation", "model": "walker", "episodes": 10_000})
    assert [fault.pointer for fault in caught.value.faults] == ["/episodes"]
    bench.jobs.submit({"type": "evaluation", "model": "walker", "episodes": 1})


def test_a_record_that_is_not_of_the_version_is_refused(bench: Bench) -> None:
    run(bench, small())
    manifest, params = decode_artifact(bench.artifacts.read(bench.registry.resolve("m").artifact_sha256))
    other = msgspec.structs.replace(manifest, training={"tasks": {"family": "navigation"}})
    bench.registry.publish("odd", encode_artifact(params, other))
    with pytest.raises(Invalid) as caught:
        bench.jobs.submit({"type": "evaluation", "model": "odd"})
    assert [fault.pointer for fault in caught.value.faults] == ["/model"]


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gymnasium", "gymnasium.vector", "mujoco"):
        monkeypatch.setitem(sys.modules, name, None)
    tasks = CheetahSpec(goal="velocity", n_trajectories=1, horizon=1)
    learner = LearnerSpec(algorithm=MamlPolicySpec(), network=MlpSpec(hidden=(4,)))
    signature = signature_of(tasks)
    params = build_policy_learner(learner, signature).init(torch.Generator())
    manifest = Manifest(learner=learner, signature=signature, max_ways=None, training={}, metrics={})
    file = encode_artifact({name: value.numpy() for name, value in params.items()}, manifest)
    config = EvaluationConfig(model="m", version=1, episodes=1, seed=0, shots=(), whole=False, tasks=tasks)
    examination = prepare_evaluation(msgspec.to_builtins(config), file, lambda _: None, SETTINGS)
    with pytest.raises(Unsuitable, match="extra `rl`"):
        examination.advance(lambda _: None)


def test_a_version_that_was_deleted_meanwhile_fails_its_job(bench: Bench) -> None:
    run(bench, small())
    job = bench.jobs.submit({"type": "evaluation", "model": "m@1"})
    bench.registry.delete_version("m", 1)
    steps = worker(bench)
    carry(steps, lambda _, work, *arguments: work(*arguments), job.id, job.turn)
    error = bench.jobs.job(job.id).error
    assert error is not None
    assert (error.code, error.fault) == ("missing", "user")


@pytest.mark.parametrize(
    ("draft", "pointer", "detail"),
    [
        ({"model": "nope"}, "/model", "nope"),
        ({"model": "m@7"}, "/model", "7"),
        ({}, "/model", "name the version"),
        ({"model": "m", "recipe": "functions"}, "/recipe", "meta_training"),
        ({"model": "m", "publish": {"alias": "a"}}, "/publish", "meta_training"),
        ({"model": "m", "episodes": 0}, "/episodes", ">= 1"),
        ({"model": "m", "seed": -1}, "/seed", ">= 0"),
        ({"model": "m", "nope": 1}, "/nope", "unknown"),
        ({"model": "m", "dataset": "ds_nope"}, "/dataset", "ds_nope"),
        (
            {"type": "meta_training", "model": "m", "recipe": "functions", "episodes": 5},
            "/episodes",
            "evaluation",
        ),
        ({"type": "other", "model": "m"}, "/type", "evaluation"),
    ],
)
def test_what_is_wrong_with_a_draft_is_said_where_it_is(
    bench: Bench, draft: dict[str, Any], pointer: str, detail: str
) -> None:
    bench.registry.publish("m", small_models.regression_maml())
    before = bench.jobs.counts()
    with pytest.raises(Invalid) as caught:
        bench.jobs.submit({"type": "evaluation", **draft})
    fault = caught.value.faults[0]
    assert fault.pointer == pointer
    assert detail in fault.detail
    assert bench.jobs.counts() == before


def test_a_dataset_has_to_fit_the_version(bench: Bench) -> None:
    first = dataset(bench, 10)
    letters(bench, first)
    run(bench, small())
    for draft, detail in (
        ({"model": "m", "dataset": first}, "learns regression"),
        ({"model": "letters", "dataset": dataset(bench, 4, width=5)}, "takes [4]"),
    ):
        with pytest.raises(Invalid) as caught:
            bench.jobs.submit({"type": "evaluation", **draft})
        assert caught.value.faults[0].pointer == "/dataset"
        assert detail in caught.value.faults[0].detail
    bench.datasets.delete(first)
    with pytest.raises(Invalid) as caught:
        bench.jobs.submit({"type": "evaluation", "model": "letters"})
    assert "letters@1 was trained on it" in caught.value.faults[0].detail
