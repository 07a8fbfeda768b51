"""Both kinds of policy against torch's own distributions, and what is ours: units, floor, sums over columns."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import Independent, Normal, kl_divergence

from models.functional import Params
from models.networks.heads import WithHead
from models.networks.mlp import Mlp
from models.policies.categorical import Categorical
from models.policies.gaussian import Gaussian
from models.policies.policy import Policy
from models.spec import BoxSpace

SPACE = BoxSpace(shape=(3,), low=-0.1, high=0.3)
SEEN = torch.randn(4, 5, 2, generator=torch.Generator().manual_seed(0))


def gaussian(initial_std: float = 0.5, min_std: float = 1e-6) -> Gaussian:
    return Gaussian(SPACE, WithHead(Mlp(2, (8,)), 3), initial_std, min_std)


def categorical() -> Categorical:
    return Categorical(WithHead(Mlp(2, (8,)), 4))


def params_of(policy: Policy, seed: int = 0) -> dict[str, Tensor]:
    return policy.init(torch.Generator().manual_seed(seed))


def torch_normal(distribution: Params) -> Independent:
    return Independent(Normal(distribution["mean"], distribution["log_std"].exp().expand(4, 5, 3)), 1)


def test_gaussian_log_probs_are_summed_over_columns() -> None:
    policy = gaussian()
    found = policy.distribution(params_of(policy), SEEN)
    actions = policy.sample(found, policy.noise((4, 5), torch.Generator().manual_seed(1)))
    assert actions.shape == (4, 5, 3)
    torch.testing.assert_close(policy.log_prob(found, actions), torch_normal(found).log_prob(actions))


def test_a_gaussian_speaks_in_half_widths_around_the_middle() -> None:
    policy = gaussian(initial_std=0.5)
    params = params_of(policy)
    found = policy.distribution(params, SEEN)
    raw = policy.network(params, SEEN.flatten(0, 1)).view(4, 5, 3)
    torch.testing.assert_close(found["mean"], 0.1 + 0.2 * raw)
    torch.testing.assert_close(found["log_std"].exp(), torch.full((3,), 0.5 * 0.2))


def test_below_its_floor_a_std_stays_and_has_no_gradient() -> None:
    policy = gaussian(initial_std=0.01, min_std=0.05)
    params = params_of(policy)
    torch.testing.assert_close(
        policy.distribution(params, SEEN)["log_std"].exp(), torch.full((3,), 0.05 * 0.2)
    )

    def spread(log_std: Tensor) -> Tensor:
        return policy.distribution({**params, "log_std": log_std}, SEEN)["log_std"].sum()

    assert torch.func.grad(spread)(params["log_std"]).abs().max() == 0


def test_gaussian_divergence_is_torchs() -> None:
    policy = gaussian()
    old = policy.distribution(params_of(policy), SEEN)
    moved = params_of(policy, 1)
    new = policy.distribution({**moved, "log_std": moved["log_std"] + 0.3}, SEEN)
    expected = kl_divergence(torch_normal(old), torch_normal(new))
    torch.testing.assert_close(policy.divergence(old, new), expected)


def test_categorical_is_torchs() -> None:
    policy = categorical()
    old, new = (policy.distribution(params_of(policy, seed), SEEN) for seed in (0, 1))
    ours, theirs = (TorchCategorical(logits=one["log_probabilities"]) for one in (old, new))
    actions = policy.sample(old, policy.noise((4, 5), torch.Generator().manual_seed(1)))
    assert actions.dtype == torch.int64
    torch.testing.assert_close(policy.log_prob(old, actions), ours.log_prob(actions))
    torch.testing.assert_close(policy.divergence(old, new), kl_divergence(ours, theirs))


def test_categorical_samples_as_often_as_likely() -> None:
    policy = categorical()
    one = policy.distribution(params_of(policy), SEEN[:1, :1])
    many = {"log_probabilities": one["log_probabilities"].expand(20_000, 1, 4)}
    drawn = policy.sample(many, policy.noise((20_000, 1), torch.Generator().manual_seed(1)))
    shares = torch.bincount(drawn.flatten(), minlength=4) / 20_000
    torch.testing.assert_close(shares, one["log_probabilities"].exp().flatten(), rtol=0, atol=0.015)


@pytest.mark.parametrize("policy", [gaussian(), categorical()])
def test_a_curvature_is_twice_the_divergence_of_a_small_move(policy: Policy) -> None:
    params = {name: value.double() for name, value in params_of(policy).items()}
    moved = {name: value + 1e-4 * (1 + value.cos()) for name, value in params.items()}
    old, new = (policy.distribution(one, SEEN.double()) for one in (params, moved))
    move = {name: new[name] - value for name, value in old.items()}
    expected = 2 * policy.divergence(old, new)
    torch.testing.assert_close(policy.curvature(old, move), expected, rtol=5e-3, atol=0)


@pytest.mark.parametrize("policy", [gaussian(), categorical()])
def test_policies_are_vmapped_over_tasks_with_parameters_of_their_own(policy: Policy) -> None:
    each = [params_of(policy, seed) for seed in range(4)]
    stacked = {name: torch.stack([one[name] for one in each]) for name in each[0]}
    together = torch.vmap(policy.distribution)(stacked, SEEN)
    for place, one in enumerate(each):
        alone = policy.distribution(one, SEEN[place])
        assert alone.keys() == together.keys()
        for name, value in alone.items():
            torch.testing.assert_close(together[name][place], value)


def test_an_entry_level_log_prob_is_known() -> None:
    """Two columns at their mean with a std of one half width of 0.1: twice log(1 / (0.1 sqrt(2 pi)))."""
    policy = Gaussian(BoxSpace(shape=(2,), low=-0.1, high=0.1), WithHead(Mlp(2, (8,)), 2), 1.0, 1e-6)
    found = policy.distribution(params_of(policy), SEEN)
    at_mean = policy.log_prob(found, found["mean"])
    torch.testing.assert_close(at_mean, torch.full((4, 5), 2 * math.log(1 / (0.1 * math.sqrt(2 * math.pi)))))
