"""Families of half cheetahs with a goal. Knows how tasks are drawn; the cheetah itself is `cheetah`'s.

Needs gymnasium and mujoco (the extra `rl`), and imports them late: where nothing runs, nothing is needed.
"""

from collections.abc import Callable
from importlib import resources
from typing import Any

import torch
from torch import Generator, Tensor

from models.environments.cheetah import cheetah
from models.environments.environment import Environment, MissingPackagesError
from models.environments.gymnasium_vector import GymnasiumVector
from models.spec import CheetahSpec, action_space
from models.tasks.family import Split, uniform

FASTEST = 2.0

# What a velocity earns, for the task's number.
_REWARDS: dict[str, Callable[[float, float], float]] = {
    "velocity": lambda velocity, goal: -abs(velocity - goal),
    "direction": lambda velocity, direction: velocity * direction,
}


class HalfCheetah:
    """A task is one number: a goal velocity from U[0, 2], or a direction, -1 or 1."""

    def __init__(self, spec: CheetahSpec) -> None:
        self.horizon = spec.horizon
        self._goal = spec.goal
        self._copies = GymnasiumVector(_maker(_REWARDS[spec.goal]), action_space(spec))

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> Tensor:
        drawn = uniform(generator, 0.0, FASTEST, meta_batch_size, 1)
        if self._goal == "velocity":
            return drawn
        return torch.where(drawn < FASTEST / 2, -1.0, 1.0)

    def start(self, tasks: Tensor, n_trajectories: int, generator: Generator) -> Environment:
        """Raises MissingPackagesError where gymnasium or mujoco are not installed."""
        return self._copies.start(tasks, n_trajectories, generator)


def _maker(forward_reward: Callable[[float, float], float]) -> Callable[[], Any]:
    """Makes cheetahs that share one model and have each their own data; the first call imports what they need."""
    model: list[Any] = []

    def make() -> Any:
        try:
            import gymnasium
            import mujoco
        except ImportError as error:
            raise MissingPackagesError(
                "the cheetah needs gymnasium and mujoco: install the extra `rl`"
            ) from error
        if not model:
            file = resources.files(gymnasium) / "envs" / "mujoco" / "assets" / "half_cheetah.xml"
            model.append(mujoco.MjModel.from_xml_string(file.read_text()))
        return cheetah(model[0], forward_reward)

    return make
