"""Outer steps: they improve what they promise, within what they promise."""

import pytest
import torch
from torch import Tensor

from models.spec import EnvironmentSpec, PolicyGradientSpec, PpoSpec, TabularMdpSpec, TrpoSpec
from models.training.outer_step import Layout, OuterState
from models.training.policies.adaptation import adapt_with_fresh
from models.training.policies.fisher import fisher_product
from models.training.policies.objective import Objective, Stage, batch_objective
from models.training.policies.trainer import PolicyTrainer
from models.training.policies.updates import ppo, trpo
from tests.unit.models.training.policies.conftest import TASKS, MakeTrainer

RATES = (0.1, 0.05)


class Scene:
    """A policy, what it collected before and after two steps, and its parameters as a vector."""

    def __init__(self, trainer: PolicyTrainer) -> None:
        self.learner = trainer.learner
        generator = torch.Generator().manual_seed(0)
        params = trainer.meta_params
        self.layout = Layout(params)
        self.vector = self.layout.pack(params)
        goals = trainer.family.sample(generator, 6)
        self.stages: list[Stage] = adapt_with_fresh(
            trainer.learner, params, trainer.family, goals, RATES, 8, generator
        )

    def objective(self, vector: Tensor) -> Objective:
        return batch_objective(self.learner, self.layout.unpack(vector), self.stages, RATES)


@pytest.fixture
def scene(make_trainer: MakeTrainer) -> Scene:
    return Scene(make_trainer())


def test_nothing_has_moved_before_a_step(scene: Scene) -> None:
    found = scene.objective(scene.vector)
    for value in found:
        assert value.abs() < 1e-6


@pytest.mark.parametrize("spec", [PpoSpec(epochs=3), PolicyGradientSpec()])
def test_adam_improves_the_objective(scene: Scene, spec: PpoSpec | PolicyGradientSpec) -> None:
    state = OuterState(scene.vector, torch.zeros_like(scene.vector), torch.zeros_like(scene.vector))
    rates = [torch.tensor([1e-3, 1.0])] * (spec.epochs if isinstance(spec, PpoSpec) else 1)
    after, first = ppo(scene.learner, scene.layout, state, scene.stages, RATES, spec, rates, 10.0)
    assert first.gain.abs() < 1e-6
    assert scene.objective(after.params).gain > 0


def test_trust_region_improves_within_its_divergence(scene: Scene) -> None:
    spec = TrpoSpec(divergence=0.01)
    after, before = trpo(scene.learner, scene.layout, scene.vector, scene.stages, RATES, spec)
    found = scene.objective(after)
    assert found.gain > before.gain + 1e-3
    assert 0.001 < found.divergence_after <= 0.01


@pytest.mark.parametrize("tasks", [TASKS, TabularMdpSpec(states=3, actions=3, n_trajectories=4, horizon=5)])
def test_fisher_products_are_those_of_the_divergences_hessian(
    make_trainer: MakeTrainer, tasks: EnvironmentSpec
) -> None:
    """Through both steps, for both kinds of policy."""
    scene = Scene(make_trainer(tasks))
    product = fisher_product(scene.learner, scene.layout, scene.vector, scene.stages, RATES)
    slope = torch.func.grad(lambda vector: scene.objective(vector).divergence_after)
    times_hessian = torch.func.vjp(slope, scene.vector)[1]
    for seed in range(2):
        direction = torch.randn(len(scene.vector), generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(product(direction), times_hessian(direction)[0], rtol=1e-3, atol=1e-5)
        assert product(direction).norm() > 1e-3


def test_clipping_takes_away_the_gain_beyond_it(scene: Scene) -> None:
    spec = TrpoSpec(divergence=0.05)
    after, _ = trpo(scene.learner, scene.layout, scene.vector, scene.stages, RATES, spec)
    params = scene.layout.unpack(after)
    free = batch_objective(scene.learner, params, scene.stages, RATES)
    tight = batch_objective(scene.learner, params, scene.stages, RATES, clip=0.05)
    assert tight.gain < free.gain


def test_the_score_term_is_part_of_the_gradient_where_it_is_asked_for(make_trainer: MakeTrainer) -> None:
    def slope(score_term: bool) -> Tensor:
        scene = Scene(make_trainer(score_term=score_term))

        def loss(vector: Tensor) -> Tensor:
            found = scene.objective(vector)
            return found.gain + found.score

        return torch.func.grad(loss)(scene.vector)

    assert (slope(True) - slope(False)).norm() > 1e-3
