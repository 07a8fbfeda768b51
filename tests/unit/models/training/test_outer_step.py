"""The outer step: Adam as torch has it, the same meta-gradient both ways, parameters that keep their names."""

import math

import msgspec
import pytest
import torch
from torch import Tensor

from models.episode import Episode
from models.functional import Params
from models.training.config import TrainingSpec
from models.training.outer_step import Layout, OuterState, flatten, meta_lr, outer_rates, unflatten
from models.training.tracing import trace
from tests.unit.models.training.conftest import SHORT, MakeTrainer


def test_a_layout_packs_and_unpacks() -> None:
    params = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor(7.0), "none": torch.zeros(0)}
    layout = Layout(params)
    assert layout.pack(params).tolist() == [0, 1, 2, 3, 4, 5, 7]
    assert list(layout.unpack(layout.pack(params))) == list(params)
    for name, value in layout.unpack(layout.pack(params)).items():
        assert torch.equal(value, params[name])


def test_an_episode_is_put_together_as_it_was(make_trainer: MakeTrainer) -> None:
    example = make_trainer().blocks.example
    for before, after in zip(flatten(example), flatten(unflatten(flatten(example))), strict=True):
        assert before is after


@pytest.mark.parametrize("clip_norm", [0.5, 1e3])
def test_updates_are_those_of_torchs_adam(make_trainer: MakeTrainer, clip_norm: float) -> None:
    training = msgspec.structs.replace(SHORT, clip_norm=clip_norm)
    step = make_trainer(training).step
    generator = torch.Generator().manual_seed(0)
    param = torch.nn.Parameter(torch.randn(50, generator=generator))
    zeros = torch.zeros(50)
    state = OuterState(param.detach().clone(), zeros, zeros)
    adam = torch.optim.Adam([param], lr=1.0)
    rates = outer_rates(training, 0, 20)
    for iteration in range(20):
        gradient = torch.randn(50, generator=generator)
        param.grad = gradient.clone()
        torch.nn.utils.clip_grad_norm_([param], clip_norm)
        adam.param_groups[0]["lr"] = meta_lr(training, iteration)
        adam.step()
        state = step.update(state, gradient, rates[iteration])
    torch.testing.assert_close(state.params, param.detach())
    torch.testing.assert_close(state.exp_avg_sq, adam.state[param]["exp_avg_sq"])


def test_one_pass_and_a_loop_find_the_same_meta_gradient(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer()
    params, episodes = trainer.outer_state.params, trainer.blocks.at(0).episodes_at(0)
    gradient, metrics = trainer.step.batch_gradient(params, *episodes)
    tasks = [
        trainer.step.task_gradient(params, *task)
        for task in zip(*(tensor.unbind() for tensor in episodes), strict=True)
    ]
    torch.testing.assert_close(gradient, torch.stack([one for one, _ in tasks]).mean(0))
    torch.testing.assert_close(metrics, torch.stack([one for _, one in tasks]).mean(0))
    assert trainer.step.metric_names == ("meta_loss", "loss")


def test_a_gradient_needs_no_gradients_around_it(make_trainer: MakeTrainer) -> None:
    """What compiles a step traces it where nothing has a gradient."""
    trainer = make_trainer()
    params, episodes = trainer.outer_state.params, trainer.blocks.at(0).episodes_at(0)
    expected, _ = trainer.step.batch_gradient(params, *episodes)
    with torch.no_grad():
        gradient, _ = trace(trainer.step.batch_gradient, params, *episodes)(params, *episodes)
    assert expected.any()
    assert torch.equal(gradient, expected)
    assert not gradient.requires_grad


def test_what_no_loss_depends_on_has_no_gradient(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer()
    params, episodes = trainer.outer_state.params, trainer.blocks.at(0).episodes_at(0)

    def fixed(_params: Params, episode: Episode) -> tuple[Tensor, Params]:
        loss = episode.query.targets.mean()
        return loss, {"loss": loss}

    trainer.step.learner.meta_loss = fixed  # type: ignore[method-assign]
    gradient, metrics = trainer.step.batch_gradient(params, *episodes)
    assert torch.equal(gradient, torch.zeros_like(params))
    assert metrics[0] == metrics[1] != 0


def test_the_cosine_ends_at_nothing() -> None:
    training = TrainingSpec(iterations=100, meta_lr=0.5, schedule="cosine")
    assert meta_lr(training, 0) == 0.5
    assert math.isclose(meta_lr(training, 50), 0.25)
    assert meta_lr(training, 100) < 1e-12
