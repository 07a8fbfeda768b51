"""2-D navigation, meta-RL's oldest check, as one tensor program. Knows nothing of policies."""

import torch
from torch import Generator, Tensor

from models.environments.environment import Environment, Outcome
from models.spec import NavigationSpec
from models.tasks.family import Split, uniform

REACH = 0.1
GOAL_RANGE = 0.5
ARRIVED = 0.01


class Navigation:
    """A task is its goal [2], uniform on [-0.5, 0.5]²; both splits are fresh draws (Finn et al. 2017, 5.3)."""

    def __init__(self, spec: NavigationSpec) -> None:
        self.horizon = spec.horizon

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> Tensor:
        return uniform(generator, -GOAL_RANGE, GOAL_RANGE, meta_batch_size, 2)

    def start(self, tasks: Tensor, n_trajectories: int, generator: Generator) -> Environment:
        return _Walks(tasks.unsqueeze(1), n_trajectories)


class _Walks:
    def __init__(self, goals_M12: Tensor, n_trajectories: int) -> None:
        self._goals = goals_M12
        self.observations = goals_M12.new_zeros(len(goals_M12), n_trajectories, 2)

    def step(self, actions: Tensor) -> Outcome:
        """The reward is minus the distance to the goal after the step."""
        self.observations = self.observations + actions.clamp(-REACH, REACH)
        apart = self.observations - self._goals
        arrived = (apart.abs() < ARRIVED).all(-1)
        return Outcome(self.observations, -torch.linalg.vector_norm(apart, dim=-1), arrived)
