"""Families that are tensor programs: what their tasks are, what a step does, that a seed repeats."""

import pytest
import torch

from models.build import build_environments
from models.spec import (
    BanditSpec,
    BoxSpace,
    EnvironmentSpec,
    NavigationSpec,
    SeasonsSpec,
    TabularMdpSpec,
    action_space,
    observation_width,
)

SPECS: tuple[EnvironmentSpec, ...] = (
    NavigationSpec(horizon=5),
    BanditSpec(arms=3, horizon=5),
    TabularMdpSpec(states=4, actions=3, horizon=5),
    SeasonsSpec(cues=3, horizon=5),
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("spec", SPECS)
def test_shapes_are_those_of_the_spec_and_a_seed_repeats(spec: EnvironmentSpec) -> None:
    family, space = build_environments(spec), action_space(spec)
    assert family.horizon == 5
    tasks = family.sample(seeded(), 6)
    assert torch.equal(tasks, family.sample(seeded(), 6))
    assert not torch.equal(tasks, family.sample(seeded(1), 6))
    actions = (
        torch.full((6, 2, space.width), 0.05)
        if isinstance(space, BoxSpace)
        else torch.ones(6, 2, dtype=torch.int64)
    )
    histories = []
    for _ in range(2):
        environment = family.start(tasks, 2, seeded(5))
        assert environment.observations.shape == (6, 2, observation_width(spec))
        outcomes = [environment.step(actions) for _ in range(5)]
        assert all(one.rewards.shape == one.terminated.shape == (6, 2) for one in outcomes)
        assert torch.equal(outcomes[-1].observations, environment.observations)
        histories.append(torch.stack([one.rewards for one in outcomes]))
    assert torch.equal(*histories)


def test_navigation_walks_to_its_goal() -> None:
    family = build_environments(NavigationSpec())
    goals = family.sample(seeded(), 500)
    assert goals.abs().max() <= 0.5
    assert goals.mean(0).abs().max() < 0.05
    goal = torch.tensor([[0.25, -0.1]])
    environment = family.start(goal, 1, seeded())
    first = environment.step(torch.tensor([[[9.0, -0.05]]]))
    torch.testing.assert_close(first.observations, torch.tensor([[[0.1, -0.05]]]))
    torch.testing.assert_close(first.rewards, torch.tensor([[-((0.15**2 + 0.05**2) ** 0.5)]]))
    assert not first.terminated.any()
    environment.step(torch.tensor([[[0.1, -0.05]]]))
    last = environment.step(torch.tensor([[[0.045, 0.005]]]))
    assert last.terminated.all()


def test_arms_pay_as_often_as_they_say() -> None:
    family = build_environments(BanditSpec(arms=2, horizon=1000))
    environment = family.start(torch.tensor([[0.2, 0.9]]), 2, seeded())
    paid = sum(environment.step(torch.tensor([[0, 1]])).rewards for _ in range(1000))
    torch.testing.assert_close(paid / 1000, torch.tensor([[0.2, 0.9]]), rtol=0, atol=0.04)


def test_an_mdp_moves_and_pays_by_its_task() -> None:
    family = build_environments(TabularMdpSpec(states=2, actions=2, horizon=2000))
    task = family.sample(seeded(), 1)
    transitions, rewards = task[0, :8].reshape(2, 2, 2), task[0, 8:].reshape(2, 2)
    torch.testing.assert_close(transitions.sum(-1), torch.ones(2, 2))
    environment = family.start(task, 1, seeded())
    assert environment.observations.tolist() == [[[1.0, 0.0]]]
    seen, paid = [], []
    for _ in range(2000):
        seen.append(int(environment.observations.argmax()))
        paid.append(environment.step(torch.ones(1, 1, dtype=torch.int64)).rewards.item())
    states, after = torch.tensor(seen[:-1]), torch.tensor(seen[1:])
    for state in (0, 1):
        moved = (after[states == state] == 1).float().mean()
        torch.testing.assert_close(moved, transitions[state, 1, 1], rtol=0, atol=0.06)
        earned = torch.tensor(paid)[torch.tensor(seen) == state].mean()
        torch.testing.assert_close(earned, rewards[state, 1], rtol=0, atol=0.15)


def test_seasons_pay_at_once_or_later() -> None:
    family = build_environments(SeasonsSpec(cues=1, noise=0.0, horizon=60))
    seasons, aims = family.sample(seeded(), 400).split(1, 1)
    assert 0.4 < seasons.mean() < 0.6
    assert set(aims.flatten().tolist()) == {-0.5, 0.5}
    environment = family.start(torch.tensor([[0.0, 0.5], [1.0, 0.5]]), 2, seeded())
    # One copy harvests, the other sows; then both do what sows nothing.
    first = environment.step(torch.tensor([[[0.5], [-0.5]]] * 2))
    torch.testing.assert_close(first.rewards, torch.tensor([[1.5, 0.0], [1.0, 0.0]]))
    torch.testing.assert_close(first.observations[..., 1], torch.tensor([[0.0, 0.3]] * 2))
    later = [environment.step(torch.tensor([[[0.5], [0.5]]] * 2)).rewards for _ in range(59)]
    paid = torch.tensor([[0.0, 0.0], [0.0, 3.0 * (1 - 0.9**59)]])
    torch.testing.assert_close(sum(later) - 59 * first.rewards[:, :1], paid)
    torch.testing.assert_close(later[0][1] - first.rewards[1, 0], torch.tensor([0.0, 0.3]))


def test_in_winter_a_full_field_tells_of_good_weather_that_nobody_made() -> None:
    """What is seen of the field goes with what is paid later, in winter by the weather that both come of."""
    family = build_environments(SeasonsSpec(cues=1, horizon=40))
    environment = family.start(torch.tensor([[0.0, 0.5]]), 2000, seeded())
    outcomes = [environment.step(torch.full((1, 2000, 1), 0.5)) for _ in range(40)]
    seen, later = outcomes[20].observations[0, :, 1], sum(one.rewards[0] for one in outcomes[21:])
    assert torch.corrcoef(torch.stack([seen, later]))[0, 1] > 0.4
