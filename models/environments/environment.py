"""The protocols of environments: families of tasks, and the copies of them that are stepped together.

An environment is M tasks with R copies each, all in lockstep; a copy that has ended goes on being stepped, and
whoever steps it masks that. Knows nothing of policies.
"""

from typing import NamedTuple, Protocol

from torch import Generator, Tensor

from models.tasks.family import Split


class MissingPackagesError(RuntimeError):
    """The packages that an environment needs are not installed."""


class Outcome(NamedTuple):
    """What one step of every copy led to."""

    observations: Tensor  # float32 [M, R, D], what is seen next
    rewards: Tensor  # float32 [M, R]
    terminated: Tensor  # bool [M, R], whether the task ended there


class Environment(Protocol):
    """M tasks' R copies each, at the start of a trajectory and then wherever they were stepped to."""

    @property
    def observations(self) -> Tensor:
        """float32 [M, R, D], what is seen now."""
        ...

    def step(self, actions: Tensor) -> Outcome:
        """Take actions [M, R, A] (clipped here to the box) or int64 [M, R]."""
        ...


class EnvironmentFamily(Protocol):
    """A distribution over tasks, each described by G numbers."""

    @property
    def horizon(self) -> int:
        """L, the steps that a trajectory takes at most."""
        ...

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> Tensor:
        """M tasks, float32 [M, G] on the CPU, the same for the same generator state."""
        ...

    def start(self, tasks: Tensor, n_trajectories: int, generator: Generator) -> Environment:
        """Fresh trajectories of tasks [M, G], R = `n_trajectories` of each; what is random is the generator's."""
        ...
