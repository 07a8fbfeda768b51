"""Families of half cheetahs with a goal. Knows how tasks are drawn; the cheetahs themselves are `cheetah`'s.

Needs gymnasium and mujoco (the extra `rl`), where one is started: where nothing runs, nothing is needed.
"""

from functools import partial

import torch
from torch import Generator, Tensor

from models.environments.cheetah import Reward, cheetahs
from models.environments.environment import Environment
from models.environments.gymnasium_vector import GymnasiumVector
from models.spec import CheetahSpec, action_space
from models.tasks.family import Split, uniform

FASTEST = 2.0

# What velocities earn, for the tasks' numbers.
REWARDS: dict[str, Reward] = {
    "velocity": lambda velocities, goals: -abs(velocities - goals),
    "direction": lambda velocities, directions: velocities * directions,
}


class HalfCheetah:
    """A task is one number: a goal velocity from U[0, 2], or a direction, -1 or 1."""

    def __init__(self, spec: CheetahSpec) -> None:
        self.horizon = spec.horizon
        self._goal = spec.goal
        self._copies = GymnasiumVector(partial(cheetahs, reward=REWARDS[spec.goal]), action_space(spec))

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> Tensor:
        drawn = uniform(generator, 0.0, FASTEST, meta_batch_size, 1)
        if self._goal == "velocity":
            return drawn
        return torch.where(drawn < FASTEST / 2, -1.0, 1.0)

    def start(self, tasks: Tensor, n_trajectories: int, generator: Generator) -> Environment:
        """Raises MissingPackagesError where gymnasium or mujoco are not installed."""
        return self._copies.start(tasks, n_trajectories, generator)
