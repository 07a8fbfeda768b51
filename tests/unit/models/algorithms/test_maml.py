"""MAML: its meta-gradient against finite differences, where it starts from, and slots that a task leaves unused."""

import msgspec
import pytest
import torch
from torch import Tensor

from models.algorithms.maml import RATES, Maml, step_weights
from models.networks.heads import WithHead
from models.networks.mlp import Mlp
from models.spec import MamlSpec, Task
from tests.unit.models.algorithms.finite_differences import doubles, padded_episode, small_learner


def _learner(task: Task, inner_steps: int, first_order: bool = False) -> Maml:
    network = WithHead(Mlp(2, (5,), "tanh"), 4 if task == "classification" else 1)
    return Maml(MamlSpec(inner_steps=inner_steps, inner_lr=0.1, first_order=first_order), task, network)


def _doubles(learner: Maml, seed: int) -> dict[str, Tensor]:
    return {name: value.double() for name, value in learner.init(torch.Generator().manual_seed(seed)).items()}


def test_going_on_from_an_adaptation_is_taking_more_steps() -> None:
    episode = padded_episode("classification")
    once, twice = _learner("classification", 2), _learner("classification", 4)
    params = _doubles(once, 5)
    halfway = once.adapt(params, episode.support)
    resumed = once.adapt(params, episode.support, halfway)
    direct = twice.adapt(params, episode.support)
    assert resumed.keys() == direct.keys()
    for name in direct:
        torch.testing.assert_close(resumed[name], direct[name])


def test_no_inner_steps_answer_like_the_base_model() -> None:
    learner, episode = _learner("regression", 0), padded_episode("regression")
    params = _doubles(learner, 5)
    adapted = learner.adapt(params, episode.support)
    outputs = learner.predict(params, adapted, episode.query.inputs)
    assert torch.equal(outputs["mean"], learner.network(params, episode.query.inputs))
    assert "std" not in outputs


def test_unused_class_slots_get_no_probability_and_leave_the_loss_alone() -> None:
    learner, episode = _learner("classification", 2), padded_episode("classification")
    params = _doubles(learner, 5)
    adapted = learner.adapt(params, episode.support)
    logits = learner.predict(params, adapted, episode.query.inputs)["logits"]
    assert torch.isneginf(logits[:, 3]).all()
    assert torch.isfinite(logits[:, :3]).all()
    other = {**params, "head.bias": params["head.bias"] + torch.tensor([0.0, 0, 0, 9]).double()}
    torch.testing.assert_close(learner.meta_loss(other, episode)[0], learner.meta_loss(params, episode)[0])


def test_an_empty_support_set_changes_nothing() -> None:
    learner, episode = _learner("regression", 3), padded_episode("regression")
    params = _doubles(learner, 5)
    nothing = episode.support._replace(mask=torch.zeros(6).double())
    for name, value in learner.adapt(params, nothing).items():
        assert torch.equal(value, params[name])


def test_a_step_beyond_those_trained_takes_the_last_learned_rate() -> None:
    episode = padded_episode("regression")
    trained = Maml(
        MamlSpec(inner_steps=2, inner_lr=0.1, learned_rates="per_step"),
        "regression",
        WithHead(Mlp(2, (5,), "tanh"), 1),
    )
    longer = Maml(msgspec.structs.replace(trained.spec, inner_steps=3), "regression", trained.network)
    params = _doubles(trained, 1)
    rates = {name: value for name, value in params.items() if name.startswith(RATES)}
    assert {value.shape for value in rates.values()} == {(2,)}
    params |= {name: torch.tensor([0.5, 2.0]).double() for name in rates}
    expected = params
    for rate in (0.05, 0.2, 0.2):
        one = Maml(MamlSpec(inner_steps=1, inner_lr=rate), "regression", trained.network)
        expected = one.adapt(
            {name: value for name, value in expected.items() if name not in rates}, episode.support
        )
    torch.testing.assert_close(longer.adapt(params, episode.support), expected)


def test_the_weights_of_steps_fall_towards_the_first() -> None:
    assert step_weights(3, 1.0) == pytest.approx([1 / 3] * 3)
    assert step_weights(3, 0.5) == pytest.approx([1 / 7, 2 / 7, 4 / 7])


def test_a_robust_loss_is_the_squared_one_below_its_scale_and_hears_little_from_far_off() -> None:
    episode = padded_episode("regression")
    squared, robust, wide = (
        small_learner(MamlSpec(inner_steps=2, inner_lr=0.05, robust=scale), "regression")
        for scale in (0.0, 1.0, 1e4)
    )
    params = doubles(squared)
    expected, metrics = squared.meta_loss(params, episode)
    torch.testing.assert_close(wide.meta_loss(params, episode)[0], expected, rtol=1e-5, atol=0)
    found, told = robust.meta_loss(params, episode)
    assert found < expected
    torch.testing.assert_close(told, metrics)
    far = episode._replace(query=episode.query._replace(targets=episode.query.targets + 1e6))
    assert robust.meta_loss(params, far)[0] < 60
    assert squared.meta_loss(params, far)[0] > 1e11
