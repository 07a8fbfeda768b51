"""Hyperparameters along the meta-gradient: it is the derivative it claims to be, and a life resumes bit for bit."""

from collections.abc import Callable

import msgspec
import pytest
import torch
from torch import Tensor

from models.algorithms.advantages import signal_of
from models.build import build_environments, build_policy_learner
from models.spec import (
    LearnerSpec,
    LifetimeSpec,
    MamlPolicySpec,
    MlpSpec,
    NavigationSpec,
    SeasonsSpec,
    signature_of,
)
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.config import TrainingSpec
from models.training.meta_trainer import DivergedError
from models.training.outer_step import Layout
from models.training.policies.collect import collect
from models.training.policies.lifetime import SETTINGS, Lifetime
from models.training.policies.lifetime_trainer import LifetimeTrainer
from models.trajectory import Trajectories

TASKS = SeasonsSpec(cues=3, n_trajectories=4, horizon=6)
ALL = LifetimeSpec(adapt=SETTINGS, task_iterations=3, reference_discount=0.97, reference_lambda=0.9)
TRAINING = TrainingSpec(iterations=8, meta_batch_size=1, meta_lr=0.1, seed=3)


def make(
    spec: LifetimeSpec = ALL, tasks: SeasonsSpec | NavigationSpec = TASKS, iterations: int = 8
) -> LifetimeTrainer:
    algorithm = MamlPolicySpec(
        inner_lr=0.1, discount=0.8, gae_lambda=0.7, initial_std=0.4, min_std=0.1, surrogate="naive"
    )
    learner = build_policy_learner(
        LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(4,), activation="tanh")), signature_of(tasks)
    )
    training = msgspec.structs.replace(TRAINING, iterations=iterations)
    return LifetimeTrainer(training, spec, build_environments(tasks), learner, tasks.n_trajectories)


class Scene:
    """A policy in float64, and what it collected twice on one task, with the log-probabilities left to it."""

    def __init__(self, spec: LifetimeSpec) -> None:
        trainer = make(spec)
        learner, params = trainer.learner, trainer.meta_params
        generator = torch.Generator().manual_seed(1)
        task = trainer.family.sample(generator, 1)
        batched = {name: value[None] for name, value in params.items()}
        draws = [collect(learner.policy, batched, trainer.family, task, 4, generator) for _ in range(2)]
        # Their log-probabilities are those of whoever is asked: importance weights are 1, as where they are fresh.
        self.first, self.second = (
            Trajectories(*(part[0].double() for part in one))._replace(known=torch.zeros(4).double())
            for one in draws
        )
        layout = Layout(params)
        self.lifetime = Lifetime(learner, spec, layout, 10.0)
        self.initial = self.lifetime.initial.double()
        self.life = self.lifetime.born(layout.pack(params).double(), self.initial)
        self.free = self.life.free.params

    def after(self, params: Tensor, free: Tensor) -> Tensor:
        return self.lifetime.update(params, free, self.initial, self.fresh(params, self.first))

    def fresh(self, params: Tensor, seen: Trajectories) -> Trajectories:
        return self.lifetime.learner.with_log_probs(self.lifetime.layout.unpack(params), seen)

    def reference(self, params: Tensor) -> Tensor:
        """Minus the reference's objective on the second trajectories, [1]."""
        lifetime, spec = self.lifetime, self.lifetime.spec
        signal = signal_of(self.second, spec.reference_discount, spec.reference_lambda)
        seen = self.fresh(params, self.second)
        return lifetime.learner.inner_loss(lifetime.layout.unpack(params), seen, signal)[None]


@pytest.fixture(params=[0.0, 1.0], ids=["mu=0", "mu=1"])
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(msgspec.structs.replace(ALL, trace_decay=request.param))


def differences(function: Callable[[Tensor], Tensor], at: Tensor, step: float = 1e-5) -> Tensor:
    """Central differences, one row for each number of `at`."""
    moves = step * torch.eye(len(at), dtype=at.dtype)
    return torch.stack([(function(at + move) - function(at - move)) / (2 * step) for move in moves])


def test_after_one_update_it_is_the_finite_difference(scene: Scene) -> None:
    start, lifetime = scene.life.params, scene.lifetime
    first = scene.fresh(start, scene.first)
    params, trace = lifetime.moved(start, scene.life.trace, scene.free, scene.initial, first)
    torch.testing.assert_close(params, scene.after(start, scene.free))
    expected = differences(lambda free: scene.after(start, free), scene.free)
    torch.testing.assert_close(trace, expected, rtol=1e-6, atol=1e-9)
    found = lifetime.meta_gradient(params, trace, scene.fresh(params, scene.second))
    expected = differences(lambda free: scene.reference(scene.after(start, free)), scene.free)
    torch.testing.assert_close(found, expected.squeeze(1), rtol=1e-6, atol=1e-9)
    assert found.abs().min() > 1e-5


def test_an_exact_trace_carries_the_jacobian_and_the_papers_forgets(scene: Scene) -> None:
    before = torch.randn(
        scene.life.trace.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    first = scene.fresh(scene.life.params, scene.first)
    _, trace = scene.lifetime.moved(scene.life.params, before, scene.free, scene.initial, first)
    by_settings = torch.func.jacrev(lambda free: scene.after(scene.life.params, free))(scene.free).T
    jacobian = torch.func.jacrev(lambda at: scene.after(at, scene.free))(scene.life.params)
    decay = scene.lifetime.spec.trace_decay
    torch.testing.assert_close(trace, decay * before @ jacobian.T + by_settings)


@pytest.mark.parametrize("stop", [0, 2, 5])
def test_a_resumed_life_is_an_uninterrupted_one_bit_for_bit(stop: int) -> None:
    spec = msgspec.structs.replace(ALL, trace_decay=0.9)
    whole, first, second = (make(spec) for _ in range(3))
    whole.run(8)
    first.run(stop)
    second.restore(decode_checkpoint(encode_checkpoint(first.state())))
    second.run(8 - stop)
    assert encode_checkpoint(second.state()) == encode_checkpoint(whole.state())
    assert whole.finished
    assert whole.run(1) == {}


def test_what_is_adapted_moves_and_nothing_else() -> None:
    trainer = make(LifetimeSpec(adapt=("gae_lambda",)))
    metrics = trainer.run(4)
    assert trainer.settings["discount"] == pytest.approx(0.8)
    assert trainer.settings["inner_lr"] == pytest.approx(0.1)
    assert trainer.settings["gae_lambda"] != pytest.approx(0.7, abs=1e-3)
    assert metrics["meta_loss"] == pytest.approx(-metrics["return_step_0"])
    still = make(LifetimeSpec(adapt=()))
    still.run(2)
    assert still.settings == pytest.approx({"discount": 0.8, "gae_lambda": 0.7, "inner_lr": 0.1})
    assert any(not torch.equal(still.meta_params[name], value) for name, value in make().meta_params.items())


def test_other_tasks_come_when_it_is_time() -> None:
    trainer = make()
    drawn = []
    for _ in range(6):
        trainer.run(1)
        drawn.append(trainer.state()["task"])
    assert torch.equal(drawn[0], drawn[2])
    assert torch.equal(drawn[3], drawn[5])
    assert not torch.equal(drawn[2], drawn[3])


def test_it_refuses_strangers_checkpoints_and_stops_at_numbers_that_are_none() -> None:
    trainer = make()
    with pytest.raises(ValueError, match="not one of this learner"):
        trainer.restore(make(tasks=NavigationSpec(n_trajectories=2, horizon=3)).state())
    with pytest.raises(ValueError, match="not one of this learner"):
        trainer.restore(make(LifetimeSpec(adapt=("discount",))).state())
    trainer.life = trainer.life._replace(params=torch.full_like(trainer.life.params, float("nan")))
    with pytest.raises(DivergedError, match="iteration 1"):
        trainer.run(1)


def test_discounts_of_nothing_are_adapted_too_and_a_rate_stays_within_four_times_its_first() -> None:
    scene = Scene(ALL)
    lifetime, nothing = scene.lifetime, torch.tensor([0.0, 0.0, 0.1]).double()
    life = lifetime.born(scene.life.params, nothing)
    rates = torch.tensor([100.0, 1.0]).double()
    for _ in range(2):
        life = lifetime.live(life, nothing, scene.fresh(life.params, scene.first), rates)
        assert all(bool(value.isfinite().all()) for value in (life.params, life.trace, life.free.params))
    settings = lifetime.settings(life.free.params, nothing)
    assert settings.min() > 0
    assert settings[2] <= 0.4
