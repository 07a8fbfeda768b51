"""The estimators against exact sums over every trajectory of small MDPs, in float64."""

import math
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from models.algorithms.advantages import Signal
from models.algorithms.surrogates import SURROGATES, score_term
from models.spec import SurrogateName

SEEDS = (0, 1, 2)
NAMES: tuple[SurrogateName, ...] = tuple(SURROGATES)


class Oracle:
    """2 states, 2 actions, start in state 0, a tabular softmax policy; every trajectory of `horizon` steps."""

    def __init__(self, seed: int, horizon: int = 3) -> None:
        torch.manual_seed(seed)
        self.transitions = torch.randn(2, 2, 2, dtype=torch.float64).softmax(-1)
        self.reward = torch.randn(2, 2, dtype=torch.float64)
        self.theta = 0.5 * torch.randn(4, dtype=torch.float64)
        self.horizon = horizon
        self.actions = torch.tensor(list(product((0, 1), repeat=horizon)) * 2 ** (horizon - 1))
        later = product((0, 1), repeat=horizon - 1)
        self.states = torch.tensor([(0, *rest) for rest in later for _ in range(2**horizon)])
        self.rewards = self.reward[self.states, self.actions]
        moves = self.transitions[self.states[:, :-1], self.actions[:, :-1], self.states[:, 1:]]
        self.chance = moves.prod(-1)

    def log_probs(self, theta: Tensor) -> Tensor:
        """[trajectories, L]."""
        return theta.view(2, 2).log_softmax(-1)[self.states, self.actions]

    def probabilities(self, theta: Tensor) -> Tensor:
        return self.log_probs(theta).sum(-1).exp() * self.chance

    def expected_return(self, theta: Tensor) -> Tensor:
        return self.probabilities(theta) @ self.rewards.sum(-1)

    def to_go(self) -> Tensor:
        return self.rewards.flip(-1).cumsum(-1).flip(-1)

    def values(self) -> Tensor:
        """The exact value of each trajectory's state at each time."""
        policy = self.theta.view(2, 2).softmax(-1)
        value, values = torch.zeros(2, dtype=torch.float64), []
        for _ in range(self.horizon):
            value = (policy * (self.reward + self.transitions @ value)).sum(-1)
            values.append(value)
        return torch.stack(values[::-1])[torch.arange(self.horizon), self.states]

    def signal(self, baseline: Tensor) -> Signal:
        return Signal(self.rewards, self.to_go() - baseline, torch.ones(()))

    def surrogate(self, name: SurrogateName, baseline: Tensor) -> Callable[[Tensor], Tensor]:
        weights = self.probabilities(self.theta).detach()

        def expected(theta: Tensor) -> Tensor:
            terms = SURROGATES[name].terms(self.log_probs(theta), self.signal(baseline))
            return weights @ terms.sum(-1)

        return expected


class Error(NamedTuple):
    gradient: float
    hessian: float


def errors(oracle: Oracle, name: SurrogateName, baseline: Tensor) -> Error:
    """How far the expected gradient is off, and the expected Hessian, relative to its size."""
    estimator = oracle.surrogate(name, baseline)
    truth = oracle.expected_return
    slope = torch.func.grad(estimator)(oracle.theta) - torch.func.grad(truth)(oracle.theta)
    exact = torch.func.jacrev(torch.func.jacrev(truth))(oracle.theta)
    bend = torch.func.jacrev(torch.func.jacrev(estimator))(oracle.theta) - exact
    return Error(slope.norm().item(), (bend.norm() / exact.norm()).item())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_expected_gradient_is_the_policy_gradient_whatever_the_baseline(
    name: SurrogateName, seed: int
) -> None:
    oracle = Oracle(seed)
    by_chance = torch.randn(oracle.horizon, 2, dtype=torch.float64)
    of_state = by_chance[torch.arange(oracle.horizon), oracle.states]
    for baseline in (torch.zeros_like(of_state), oracle.values(), of_state):
        assert errors(oracle, name, baseline).gradient < 1e-13


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [name for name in NAMES if SURROGATES[name].unbiased])
def test_the_expected_hessian_of_the_unbiased_is_exact(name: SurrogateName, seed: int) -> None:
    oracle = Oracle(seed)
    by_chance = torch.randn(oracle.horizon, 2, dtype=torch.float64)
    of_state = by_chance[torch.arange(oracle.horizon), oracle.states]
    for baseline in (torch.zeros_like(of_state), oracle.values(), of_state):
        assert errors(oracle, name, baseline).hessian < 1e-10


def test_dice_and_loaded_dice_are_the_unbiased_ones() -> None:
    assert {name for name in NAMES if SURROGATES[name].unbiased} == {"dice", "loaded_dice"}


@pytest.mark.parametrize(("seed", "naive", "lvc"), [(0, 2.89, 0.44), (1, 18.5, 0.90), (2, 31.9, 0.79)])
def test_naive_and_lvc_are_as_biased_as_was_measured_before(seed: int, naive: float, lvc: float) -> None:
    oracle = Oracle(seed)
    assert errors(oracle, "naive", torch.zeros_like(oracle.rewards)).hessian == pytest.approx(naive, rel=0.01)
    # With a good baseline its expected Hessian is zero: second order becomes first order and noise.
    assert errors(oracle, "naive", oracle.values()).hessian == pytest.approx(1.0, abs=1e-10)
    assert errors(oracle, "lvc", oracle.values()).hessian == pytest.approx(lvc, abs=0.006)


@pytest.mark.parametrize("seed", SEEDS)
def test_lvc_is_exact_at_horizon_one_and_naive_is_not(seed: int) -> None:
    oracle = Oracle(seed, horizon=1)
    assert errors(oracle, "lvc", oracle.values()).hessian < 1e-10
    assert errors(oracle, "naive", oracle.values()).hessian > 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_padding_changes_no_estimator(seed: int) -> None:
    oracle = Oracle(seed)
    for name in NAMES:
        log_probs, signal = oracle.log_probs(oracle.theta), oracle.signal(oracle.values())
        padded = Signal(
            torch.nn.functional.pad(signal.rewards, (0, 2)),
            torch.nn.functional.pad(signal.advantages, (0, 2)),
            signal.unit,
        )
        terms = SURROGATES[name].terms(torch.nn.functional.pad(log_probs, (0, 2)), padded)
        assert torch.equal(terms[:, :3], SURROGATES[name].terms(log_probs, signal))
        assert terms[:, 3:].abs().max() == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_score_term_completes_the_gradient_of_the_finite_sample_objective(seed: int) -> None:
    """J_I(theta) = E over tau of J(U(theta, tau)): one trajectory, one step, then the exact expected return."""
    oracle, rate = Oracle(seed), 0.7
    advantages = oracle.to_go()

    def after(theta: Tensor) -> Tensor:
        """The expected return after a step on each trajectory [trajectories]."""

        def step(states: Tensor, actions: Tensor, advantages: Tensor) -> Tensor:
            def loss(at: Tensor) -> Tensor:
                log_probs = at.view(2, 2).log_softmax(-1)[states, actions]
                return -SURROGATES["naive"].terms(log_probs, Signal(advantages, advantages, rate)).sum()

            return oracle.expected_return(theta - rate * torch.func.grad(loss)(theta))

        return torch.vmap(step)(oracle.states, oracle.actions, advantages)

    truth = torch.func.grad(lambda theta: oracle.probabilities(theta) @ after(theta))(oracle.theta)
    weights = oracle.probabilities(oracle.theta).detach()

    def estimate(theta: Tensor, with_score: float, less: float = 0.0) -> Tensor:
        came = after(theta)
        scores = torch.vmap(score_term)(oracle.log_probs(theta), came - less)
        return weights @ (came + with_score * scores)

    complete = torch.func.grad(lambda theta: estimate(theta, 1.0))(oracle.theta)
    without = torch.func.grad(lambda theta: estimate(theta, 0.0))(oracle.theta)
    centred = torch.func.grad(lambda theta: estimate(theta, 1.0, less=3.0))(oracle.theta)
    torch.testing.assert_close(complete, truth, rtol=0, atol=1e-12)
    torch.testing.assert_close(centred, truth, rtol=0, atol=1e-12)
    assert (without - truth).norm() > 0.05 * truth.norm()


def test_the_probabilities_of_all_trajectories_are_one() -> None:
    oracle = Oracle(0)
    assert len(oracle.states) == 32
    assert math.isclose(oracle.probabilities(oracle.theta).sum().item(), 1.0, abs_tol=1e-12)
