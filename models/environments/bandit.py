"""Bernoulli bandits as one tensor program. Knows nothing of policies."""

import torch
from torch import Generator, Tensor

from models.environments.environment import Environment, Outcome
from models.spec import BanditSpec
from models.tasks.family import Split, uniform


class Bandit:
    """A task is its arms' probabilities of paying 1 [arms], uniform on [0, 1] (Duan et al. 2016)."""

    def __init__(self, spec: BanditSpec) -> None:
        self.horizon = spec.horizon
        self._arms = spec.arms

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> Tensor:
        return uniform(generator, 0.0, 1.0, meta_batch_size, self._arms)

    def start(self, tasks: Tensor, n_trajectories: int, generator: Generator) -> Environment:
        luck = torch.rand(self.horizon, len(tasks), n_trajectories, generator=generator)
        return _Arms(tasks, luck.to(tasks.device))


class _Arms:
    def __init__(self, chances_MA: Tensor, luck_LMR: Tensor) -> None:
        self._chances = chances_MA
        self._luck = iter(luck_LMR)
        # There is nothing to see; a network has to be given something.
        self.observations = torch.ones(*luck_LMR.shape[1:], 1, device=chances_MA.device)

    def step(self, actions: Tensor) -> Outcome:
        paid = (next(self._luck) < self._chances.gather(1, actions)).to(torch.float32)
        return Outcome(self.observations, paid, torch.zeros_like(paid, dtype=torch.bool))
