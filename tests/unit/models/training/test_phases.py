"""Initialise, pretrain, meta-train as one run: what is handed over, and that it resumes in any phase."""

from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from models.build import build_family, build_learner
from models.spec import (
    GroupedSpec,
    LabelledSpec,
    LearnerSpec,
    MamlSpec,
    MlpSpec,
    ProtoNetSpec,
    RidgeSpec,
    SinusoidSpec,
    max_ways_of,
    signature_of,
)
from models.tasks.examples import Pooled
from models.tasks.grouped import Grouped
from models.tasks.grouped_data import GroupedData
from models.tasks.labelled_data import LabelledData
from models.training.config import PretrainSpec, TrainingSpec
from models.training.meta_trainer import DivergedError, MetaTrainer
from models.training.phases import Phases
from models.training.pretraining import pretrainer

NETWORK = MlpSpec(hidden=(8,))
SINUSOID = SinusoidSpec(n_shot=5, n_query=5)
LETTERS = LabelledSpec(dataset="ds_1", n_way=3, n_shot=1, n_query=2)
TRAINING = TrainingSpec(
    iterations=12, meta_batch_size=3, pretrain=PretrainSpec(iterations=20, batch_size=30, lr=0.01)
)


def _points() -> LabelledData:
    """Ten classes of points around places of their own."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 6)
    places = generator.normal(size=(10, 4)) * 3
    return LabelledData.from_arrays(
        (places[labels] + generator.normal(size=(60, 4))).astype(np.float32), labels
    )


def _answers() -> GroupedData:
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(6), 8)
    inputs = generator.normal(size=(48, 2)).astype(np.float32)
    return GroupedData.from_arrays(inputs, (inputs[:, 0] > 0).astype(int), groups, classes=("no", "yes"))


def _phases(kind: str, training: TrainingSpec = TRAINING) -> Phases:
    if kind == "points-protonet":
        spec, tasks, data = LearnerSpec(algorithm=ProtoNetSpec(), network=NETWORK), LETTERS, _points()
    elif kind == "points-maml":
        spec, tasks, data = LearnerSpec(algorithm=MamlSpec(), network=NETWORK), LETTERS, _points()
    elif kind == "answers-maml":
        tasks, data = GroupedSpec(dataset="ds_1", max_shot=4, n_query=3), _answers()
        spec = LearnerSpec(algorithm=MamlSpec(), network=NETWORK)
    else:
        algorithm = MamlSpec() if kind == "sinusoid-maml" else RidgeSpec()
        spec, tasks, data = LearnerSpec(algorithm=algorithm, network=NETWORK), SINUSOID, None
    family = build_family(tasks, data)
    if isinstance(family, Grouped):
        signature = family.signature
    else:
        signature = signature_of(tasks, data.wire_shape if isinstance(data, LabelledData) else None)
    learner = build_learner(spec, signature, max_ways_of(spec, tasks, signature))
    before = pretrainer(training, spec, signature, learner, family)
    return Phases(MetaTrainer(training, family, learner), before, signature)


KINDS = ("sinusoid-maml", "sinusoid-ridge", "points-protonet", "points-maml", "answers-maml")


@pytest.mark.parametrize("kind", KINDS)
def test_meta_training_begins_with_what_pretraining_made(kind: str) -> None:
    phases = _phases(kind)
    initial = phases.trainer.meta_params
    assert phases.phase == "pretraining"
    metrics = phases.run(100)
    assert (phases.iteration, phases.phase, phases.finished) == (20, "meta_training", False)
    assert "loss" in metrics
    stages = phases.earlier()
    assert list(stages) == ["before", "after_pretraining"]
    now = phases.trainer.meta_params
    for name, value in now.items():
        assert torch.equal(stages["before"][name], initial[name])
        assert torch.equal(stages["after_pretraining"][name], value)
    changed = {name for name in now if not torch.equal(now[name], initial[name])}
    assert {"backbone.0.weight", "backbone.0.bias"} <= changed
    # A head goes along only where its outputs mean the same in every task.
    assert ("head.weight" in changed) == (kind in ("sinusoid-maml", "answers-maml"))
    phases.run(100)
    assert (phases.iteration, phases.finished) == (32, True)


@pytest.mark.parametrize("kind", ["sinusoid-ridge", "points-maml"])
@pytest.mark.parametrize("stop", [7, 20, 27])
def test_a_resumed_run_is_an_uninterrupted_one_bit_for_bit(kind: str, stop: int) -> None:
    whole, cut = _phases(kind), _phases(kind)
    for one in (whole, cut):
        while one.iteration < stop:
            one.run(stop - one.iteration)
    resumed = _phases(kind)
    resumed.restore(cut.state())
    assert resumed.iteration == stop
    for one in (whole, resumed):
        while not one.finished:
            one.run(5)
    assert whole.state().keys() == resumed.state().keys()
    assert all(torch.equal(value, resumed.state()[name]) for name, value in whole.state().items())
    for stage, params in whole.earlier().items():
        assert all(torch.equal(value, resumed.earlier()[stage][name]) for name, value in params.items())


def test_pretraining_is_by_adam_whatever_comes_after() -> None:
    muon = msgspec.structs.replace(TRAINING, optimizer="muon")
    phases = [_phases("points-protonet", training) for training in (TRAINING, muon)]
    made = []
    for one in phases:
        one.run(20)
        made.append(one.trainer.meta_params)
        one.run(20)
    assert all(torch.equal(value, made[1][name]) for name, value in made[0].items())
    adams, muons = (one.trainer.meta_params["backbone.0.weight"] for one in phases)
    assert not torch.equal(adams, muons)


def test_pretraining_learns_all_classes_at_once() -> None:
    training = TrainingSpec(iterations=1, pretrain=PretrainSpec(iterations=300, batch_size=32, lr=0.02))
    phases = _phases("points-protonet", training)
    assert phases.run(1)["accuracy"] < 0.5
    phases.run(280)
    assert phases.run(10)["accuracy"] > 0.8


def test_without_pretraining_there_is_one_phase() -> None:
    phases = _phases("sinusoid-maml", TrainingSpec(iterations=3, meta_batch_size=2))
    assert phases.phase == "meta_training"
    phases.run(3)
    assert phases.earlier() == {}
    assert set(phases.state()) == set(phases.trainer.state())


def test_a_checkpoint_of_a_run_without_pretraining_is_refused() -> None:
    plain = _phases("sinusoid-maml", TrainingSpec(iterations=3, meta_batch_size=2))
    with pytest.raises(ValueError, match="with pretraining"):
        _phases("sinusoid-maml").restore(plain.state())


def test_pretraining_that_diverges_says_which_rate_was_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    phases = _phases("sinusoid-maml")

    def diverge(*_: Any) -> None:
        raise DivergedError(3)

    monkeypatch.setattr(MetaTrainer, "run", diverge)
    with pytest.raises(DivergedError, match=r"iteration 3: pretraining diverged; a smaller pretrain\.lr"):
        phases.run(5)


def test_batches_of_classes_are_as_large_as_was_asked_and_those_of_tasks_whole_episodes() -> None:
    generator = torch.Generator().manual_seed(0)
    classes = Pooled(build_family(LETTERS, _points()), 7, lambda episode: episode).sample(generator, 3)
    assert classes.query.inputs.shape == (3, 7, 4)
    assert classes.support.inputs.shape == (3, 0, 4)
    tasks = Pooled(build_family(SINUSOID), 27, lambda episode: episode).sample(generator, 2)
    assert tasks.query.inputs.shape == (2, 30, 1)
    assert tasks.query.mask.all()
