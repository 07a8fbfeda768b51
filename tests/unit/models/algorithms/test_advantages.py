"""The baseline and the advantages against loops over steps, and that padding changes nothing."""

import pytest
import torch
from torch import Tensor

from models.algorithms.advantages import baseline, discounted_sums, generalized_advantages, signal_of
from models.trajectory import Trajectories

LENGTHS = (6, 4, 1)


def trajectories(extra: int = 0, seed: int = 0) -> Trajectories:
    """Three of one task, of lengths 6, 4 and 1, with so much more padding; what is in it is junk."""
    generator = torch.Generator().manual_seed(seed)
    longest = max(LENGTHS)
    mask = (torch.arange(longest) < torch.tensor(LENGTHS).unsqueeze(-1)).float()
    observations = torch.randn(3, longest, 2, generator=generator)
    rewards = torch.randn(3, longest, generator=generator)

    def padded(value: Tensor) -> Tensor:
        more = torch.full((3, extra, *value.shape[2:]), 7.0)
        return torch.cat([value, more], 1)

    return Trajectories(
        padded(observations),
        padded(observations),
        padded(rewards),
        torch.cat([mask, torch.zeros(3, extra)], 1),
        torch.zeros(3),
        torch.zeros(3, longest + extra),
        torch.ones(3),
    )


def test_discounted_sums_are_those_of_a_loop() -> None:
    values = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    for discount in (0.0, 0.9, 1.0):
        expected, following = torch.zeros(2, 5), torch.zeros(2)
        for t in reversed(range(5)):
            following = values[:, t] + discount * following
            expected[:, t] = following
        torch.testing.assert_close(discounted_sums(values, discount), expected)


def test_lambda_one_is_return_to_go_less_baseline_and_lambda_zero_one_step() -> None:
    given = trajectories()
    values = torch.randn(3, 6, generator=torch.Generator().manual_seed(1)) * given.mask
    rewards = given.rewards * given.mask
    whole = generalized_advantages(rewards, values, given.mask, 0.9, 1.0)
    torch.testing.assert_close(whole, (discounted_sums(rewards, 0.9) - values) * given.mask)
    one = generalized_advantages(rewards, values, given.mask, 0.9, 0.0)
    after = torch.nn.functional.pad(values[:, 1:], (0, 1))
    torch.testing.assert_close(one, (rewards + 0.9 * after - values) * given.mask)


def test_the_baseline_finds_what_its_features_can_say() -> None:
    """Returns to go that are linear in o, o² and t are met; the ridge is small."""
    generator = torch.Generator().manual_seed(0)
    seen = torch.rand(20, 8, 1, generator=generator)
    time = torch.arange(8) / 100
    goes = 2 * seen[..., 0] - 3 * seen[..., 0].square() + 5 * time + 1
    rewards = goes - 0.9 * torch.nn.functional.pad(goes[:, 1:], (0, 1))
    ones = torch.ones(20, 8)
    given = Trajectories(seen, seen, rewards, ones, ones[:, 0], ones, ones[:, 0])
    torch.testing.assert_close(baseline(given, 0.9), goes, rtol=0, atol=2e-3)


def test_advantages_are_standardised_over_the_task() -> None:
    given = trajectories()
    signal = signal_of(given, 0.95, 1.0)
    real = signal.advantages[given.mask > 0]
    assert real.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert real.std(correction=0).item() == pytest.approx(1.0, abs=1e-5)
    steps = torch.arange(6)
    torch.testing.assert_close(signal.rewards * signal.unit, given.rewards * given.mask * 0.95**steps)


def test_padding_and_tasks_beside_it_change_nothing() -> None:
    alone, padded = signal_of(trajectories(), 0.95, 0.9), signal_of(trajectories(extra=4), 0.95, 0.9)
    torch.testing.assert_close(padded.advantages[:, :6], alone.advantages, rtol=1e-4, atol=1e-5)
    assert padded.advantages[:, 6:].abs().max() == 0
    assert padded.rewards[:, 6:].abs().max() == 0
    two = [trajectories(seed=0), trajectories(seed=1)]
    both = Trajectories(*(torch.stack(pair) for pair in zip(*two, strict=True)))
    torch.testing.assert_close(signal_of(both, 0.95, 0.9).advantages[0], alone.advantages)


def test_no_trajectories_have_a_signal_of_nothing() -> None:
    none = Trajectories(*(value[:0] for value in trajectories()))
    assert signal_of(none, 0.9, 1.0).advantages.shape == (0, 6)


def test_where_all_actions_pay_the_same_nothing_is_blown_up() -> None:
    """Rewards that depend on no action leave a remainder of the fit; it is no signal, and no unit for rewards."""
    ones = torch.ones(20, 50)
    seen = torch.randn(20, 50, 1, generator=torch.Generator().manual_seed(0))
    given = Trajectories(seen, seen, 2 * ones, ones, ones[:, 0], ones, ones[:, 0])
    for discount in (0.0, 1.0):
        signal = signal_of(given, discount, 1.0)
        assert signal.rewards.abs().max() <= 1.01
        assert signal.advantages.abs().max() < 0.1
    nothing = signal_of(given._replace(rewards=torch.zeros(20, 50)), 1.0, 1.0)
    assert nothing.rewards.abs().max() == nothing.advantages.abs().max() == 0


@pytest.mark.parametrize("base", [0.0, 0.5, 1.0])
def test_second_derivatives_by_discount_and_lambda_are_numbers_everywhere(base: float) -> None:
    """A life goes back through the advantages twice, with discounts and lambdas of 0 and 1 among them."""
    given = Trajectories(*(value.double() for value in trajectories()))

    def told(settings: Tensor) -> Tensor:
        return signal_of(given, settings[0], settings[1]).advantages.pow(3).sum()

    settings = torch.full((2,), base, dtype=torch.float64)
    curvature = torch.func.jacrev(torch.func.grad(told))(settings)
    step = 1e-5 * torch.eye(2, dtype=torch.float64)
    slope = torch.func.grad(told)
    expected = torch.stack([(slope(settings + one) - slope(settings - one)) / 2e-5 for one in step])
    torch.testing.assert_close(curvature, expected, rtol=1e-5, atol=1e-6)
