"""The outer loop of policies: it learns, repeats, resumes bit for bit, and says when it diverges."""

import msgspec
import pytest
import torch

from models.spec import (
    BanditSpec,
    CheetahSpec,
    EnvironmentSpec,
    NavigationSpec,
    OuterSpec,
    PolicyGradientSpec,
    PpoSpec,
    TabularMdpSpec,
    TrpoSpec,
)
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.meta_trainer import DivergedError
from models.training.policies.evaluation import evaluate_policy
from tests.unit.models.training.policies.conftest import TASKS, TRAINING, MakeTrainer


@pytest.mark.parametrize("outer", [PpoSpec(epochs=2), TrpoSpec(cg_steps=3), PolicyGradientSpec()])
@pytest.mark.parametrize("stop", [0, 2])
def test_a_resumed_run_is_an_uninterrupted_one_bit_for_bit(
    make_trainer: MakeTrainer, outer: OuterSpec, stop: int
) -> None:
    whole, first, second = (make_trainer(outer=outer) for _ in range(3))
    whole.run(4)
    first.run(stop)
    kept = encode_checkpoint(first.state())
    second.restore(decode_checkpoint(kept))
    assert second.iteration == stop
    second.run(4 - stop)
    assert encode_checkpoint(second.state()) == encode_checkpoint(whole.state())
    assert encode_checkpoint(first.state()) == kept


@pytest.mark.parametrize("outer", [PpoSpec(epochs=2), TrpoSpec(cg_steps=3)])
def test_rates_are_learned_beside_the_policy(make_trainer: MakeTrainer, outer: OuterSpec) -> None:
    trainer = make_trainer(outer=outer, learned_rates="per_parameter")
    before = trainer.meta_params
    trainer.run(2)
    after = trainer.meta_params
    assert "rates.log_std" in before
    assert all(not torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize(
    "tasks",
    [
        TASKS,
        BanditSpec(arms=3, n_trajectories=4, horizon=5),
        TabularMdpSpec(states=3, actions=2, n_trajectories=4, horizon=5),
        CheetahSpec(goal="velocity", n_trajectories=2, horizon=4),
        CheetahSpec(goal="direction", n_trajectories=2, horizon=4),
    ],
    ids=lambda tasks: type(tasks).__name__,
)
def test_every_family_trains_and_is_tested(make_trainer: MakeTrainer, tasks: EnvironmentSpec) -> None:
    if isinstance(tasks, CheetahSpec):
        pytest.importorskip("gymnasium")
        pytest.importorskip("mujoco")
    trainer = make_trainer(tasks, inner_steps=2)
    before = trainer.meta_params
    metrics = trainer.run(2)
    assert {"meta_loss", "divergence", "return_step_0", "return_step_1", "return_step_2"} <= metrics.keys()
    assert metrics["meta_loss"] == pytest.approx(-metrics["return_step_2"])
    assert ("std" in metrics) == ("log_std" in before)
    assert any(not torch.equal(value, before[name]) for name, value in trainer.meta_params.items())
    scores = evaluate_policy(
        trainer.learner, trainer.meta_params, trainer.family, tasks=3, n_trajectories=2, seed=1
    )
    steps = [f"return_step_{n}" for n in range(4)]
    assert set(scores) == {*steps, *(f"{step}_ci95" for step in steps)}


def test_it_stops_at_the_last_iteration(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer()
    trainer.run(100)
    assert (trainer.iteration, trainer.finished) == (TRAINING.iterations, True)
    assert trainer.run(1) == {}


def test_another_learners_checkpoint_is_refused(make_trainer: MakeTrainer) -> None:
    arms = make_trainer(BanditSpec(arms=3, n_trajectories=2, horizon=3))
    with pytest.raises(ValueError, match="not one of this learner"):
        arms.restore(make_trainer().state())


def test_a_policy_learns_to_learn(make_trainer: MakeTrainer) -> None:
    """The arms that pay differ by task: only adapting can tell, and 40 outer steps teach it to."""
    training = msgspec.structs.replace(TRAINING, iterations=40, meta_batch_size=10, meta_lr=0.02)
    tasks = BanditSpec(arms=2, n_trajectories=10, horizon=5)
    trainer = make_trainer(tasks, training=training, inner_lr=0.5)
    first = trainer.run(5)
    trainer.run(30)
    last = trainer.run(5)
    assert (
        last["return_step_1"] - last["return_step_0"] > first["return_step_1"] - first["return_step_0"] + 0.3
    )


def test_numbers_that_are_not_finite_end_it_with_the_iteration(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer()
    trainer.run(2)
    broken = torch.full_like(trainer.outer_state.params, float("nan"))
    trainer.outer_state = trainer.outer_state._replace(params=broken)
    with pytest.raises(DivergedError, match="not finite at iteration 3"):
        trainer.run(2)


def test_a_meta_test_repeats_and_can_be_broken_off(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(NavigationSpec(n_trajectories=2, horizon=4))
    given = (trainer.learner, trainer.meta_params, trainer.family)
    one, two = (evaluate_policy(*given, tasks=3, n_trajectories=2, seed=1) for _ in range(2))
    assert one == two

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_policy(*given, tasks=3, n_trajectories=2, seed=1, before_each_pass=stop)
