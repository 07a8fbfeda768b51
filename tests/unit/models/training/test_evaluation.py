"""The meta-test: held-out episodes, means with their intervals, and the same episodes for every learner."""

import math

import numpy as np
import pytest
import torch

from models.algorithms.batched import adapt_batch, predict_batch
from models.build import build_family, build_learner
from models.episode import MetaBatch
from models.spec import (
    AlgorithmSpec,
    AnilSpec,
    BoilSpec,
    CaviaSpec,
    ImamlSpec,
    LabelledSpec,
    LearnerSpec,
    MamlSpec,
    MetaCurvatureSpec,
    MlpSpec,
    ProtoNetSpec,
    ReptileSpec,
    RidgeSpec,
    SinusoidSpec,
    signature_of,
)
from models.tasks.family import Split
from models.tasks.labelled_data import LabelledData
from models.tasks.sinusoid import Sinusoid
from models.training.evaluation import evaluate, meta_test

SINUSOID = SinusoidSpec(n_shot=5, n_query=4)
LINE = signature_of(SINUSOID)


class Watched(Sinusoid):
    """A sinusoid family that keeps what was drawn from it."""

    def __init__(self) -> None:
        super().__init__(SINUSOID)
        self.draws: list[tuple[Split, MetaBatch]] = []

    def sample(self, generator: torch.Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:
        batch = super().sample(generator, meta_batch_size, split)
        self.draws.append((split, batch))
        return batch


def test_it_scores_held_out_episodes_and_their_interval() -> None:
    spec = LearnerSpec(algorithm=MamlSpec(inner_steps=2), network=MlpSpec(hidden=(6,)))
    learner, family = build_learner(spec, LINE), Watched()
    params = learner.init(torch.Generator().manual_seed(0))
    report = evaluate(learner, params, family, episodes=120, seed=7)
    assert [split for split, _ in family.draws] == ["test"] * 3
    losses = []
    for _, (support, query) in family.draws:
        for m in range(len(query.mask)):
            task = type(support)(*(part[m] for part in support))
            mean = learner.predict(params, learner.adapt(params, task), query.inputs[m])["mean"]
            losses.append((mean - query.targets[m]).square().mean().item())
    assert len(losses) == 120
    assert report.keys() == {"loss", "loss_ci95"}
    assert math.isclose(report["loss"], np.mean(losses), rel_tol=1e-5)
    assert math.isclose(report["loss_ci95"], 1.96 * np.std(losses, ddof=1) / math.sqrt(120), rel_tol=1e-4)


def test_what_a_std_is_worth() -> None:
    learner, family = build_learner(LearnerSpec(algorithm=RidgeSpec(), network=MlpSpec()), LINE), Watched()
    params = learner.init(torch.Generator().manual_seed(0))
    report = evaluate(learner, params, family, episodes=10, seed=7)
    (_, (support, query)), *_ = family.draws
    outputs = predict_batch(learner, params, adapt_batch(learner, params, support), query.inputs)
    answers = torch.distributions.Normal(outputs["mean"], outputs["std"])
    assert math.isclose(report["nll"], -answers.log_prob(query.targets).mean().item(), rel_tol=1e-4)
    inside = (query.targets - outputs["mean"]).abs() <= 2 * outputs["std"]
    assert math.isclose(report["coverage"], inside.float().mean().item(), rel_tol=1e-6)


def test_one_episode_has_an_interval_of_nothing() -> None:
    learner = build_learner(LearnerSpec(algorithm=RidgeSpec(), network=MlpSpec(hidden=(6,))), LINE)
    params = learner.init(torch.Generator().manual_seed(0))
    report = evaluate(learner, params, Watched(), episodes=1, seed=7)
    assert report["loss_ci95"] == 0
    assert 0 <= report["coverage"] <= 1


@pytest.mark.parametrize(
    "algorithm",
    [
        MamlSpec(inner_steps=5),
        MamlSpec(inner_steps=5, learned_rates="per_step"),
        AnilSpec(inner_steps=5),
        BoilSpec(inner_steps=5),
        ReptileSpec(inner_steps=5),
        ImamlSpec(inner_steps=5, inner_lr=0.02),
        CaviaSpec(inner_steps=5, inner_lr=0.1),
        MetaCurvatureSpec(inner_steps=5),
    ],
)
def test_inner_loops_are_also_scored_at_other_numbers_of_steps(algorithm: AlgorithmSpec) -> None:
    spec = LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(6,)))
    params = build_learner(spec, LINE).init(torch.Generator().manual_seed(0))
    report = meta_test(spec, LINE, None, params, build_family(SINUSOID), episodes=30, seed=1)
    assert report["step_5_loss"] == report["loss"]
    assert report["step_10_loss"] < report["step_1_loss"] < report["step_0_loss"]


@pytest.mark.parametrize("algorithm", [ProtoNetSpec(), RidgeSpec(), MamlSpec()])
def test_classes_that_are_easily_told_apart(algorithm: ProtoNetSpec | RidgeSpec | MamlSpec) -> None:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(10, 8)) * 10
    inputs = (np.repeat(centres, 6, axis=0) + generator.normal(size=(60, 8)) * 0.01).astype(np.float32)
    data = LabelledData.from_arrays(inputs, np.repeat(np.arange(10), 6))
    tasks = LabelledSpec(dataset="ds_1", n_way=4, n_shot=2, n_query=3)
    spec = LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(32,)))
    signature = signature_of(tasks, data.wire_shape)
    params = build_learner(spec, signature, 4).init(torch.Generator().manual_seed(0))
    report = meta_test(spec, signature, 4, params, build_family(tasks, data), episodes=20, seed=1)
    if isinstance(algorithm, MamlSpec):
        assert report["step_0_accuracy"] < 0.5
        assert report["step_10_accuracy"] > report["step_0_accuracy"]
    else:
        assert report["accuracy"] > 0.95
    assert report["loss"] >= 0
