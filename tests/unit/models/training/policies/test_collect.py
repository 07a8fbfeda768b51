"""Collecting: what a policy did is what is told, and a trajectory ends where its task ends it."""

import torch

from models.build import build_environments
from models.spec import NavigationSpec
from models.training.policies.collect import collect
from tests.unit.models.training.policies.conftest import MakeTrainer


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_log_probs_are_those_of_the_actions_under_each_tasks_own_policy(make_trainer: MakeTrainer) -> None:
    learner = make_trainer().learner
    each = [learner.init(seeded(seed)) for seed in (1, 2)]
    params = {name: torch.stack([one[name] for one in each]) for name in each[0]}
    family = build_environments(NavigationSpec(horizon=6))
    goals = torch.tensor([[0.3, 0.3], [-0.3, 0.3]])
    found = collect(learner.policy, params, family, goals, 5, seeded())
    assert found.observations.shape == (2, 5, 6, 2)
    for task, own in enumerate(each):
        distribution = learner.policy.distribution(own, found.observations[task])
        expected = learner.policy.log_prob(distribution, found.actions[task])
        torch.testing.assert_close(found.log_probs[task], expected * found.mask[task])
    apart = (found.observations[:, :, 1:] - goals[:, None, None]).norm(dim=-1)
    torch.testing.assert_close(found.rewards[:, :, :-1], -apart * found.mask[:, :, :-1])
    again = collect(learner.policy, params, family, goals, 5, seeded())
    assert all(torch.equal(one, other) for one, other in zip(found, again, strict=True))


def test_a_trajectory_ends_at_the_goal_and_what_follows_is_masked(make_trainer: MakeTrainer) -> None:
    learner = make_trainer().learner
    params = {name: value.unsqueeze(0) for name, value in learner.init(seeded()).items()}
    # Whatever it does, the goal is where its first step leads: all end there, after one real step.
    family = build_environments(NavigationSpec(horizon=4))
    first = collect(learner.policy, params, family, torch.zeros(1, 2) + 9, 1, seeded())
    goal = first.observations[:, 0, 1]
    found = collect(learner.policy, params, family, goal, 1, seeded())
    assert found.mask.flatten().tolist() == [1.0, 0.0, 0.0, 0.0]
    assert found.terminated.tolist() == [[1.0]]
    assert found.rewards[..., 1:].abs().max() == 0
    assert first.terminated.tolist() == [[0.0]]
