"""The protocol every kind of policy keeps: a distribution over actions for each observation, as pure functions.

A distribution is a dict of tensors with leading dimensions `...`, those of the observations. Log-probabilities are
summed over the columns of an action, never averaged: a mean would make every ratio of two policies a tempered one.
"""

from typing import Protocol

from torch import Generator, Tensor

from models.functional import Params

Distribution = Params


class Policy(Protocol):
    """One kind of policy on one network, for one space of actions. All methods are pure."""

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Fresh parameters, float32 on the CPU."""
        ...

    def distribution(self, params: Params, observations: Tensor) -> dict[str, Tensor]:
        """What the actions are drawn from, for observations [..., D]."""
        ...

    def noise(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """What `sample` makes actions of: drawn apart, so that sampling is a pure function."""
        ...

    def sample(self, distribution: Distribution, noise: Tensor) -> Tensor:
        """Actions [..., A] (box, not clipped) or int64 [...] (discrete), from noise of the same leading shape."""
        ...

    def log_prob(self, distribution: Distribution, actions: Tensor) -> Tensor:
        """Log-probability or log-density [...] of actions, summed over their columns."""
        ...

    def divergence(self, old: Distribution, new: Distribution) -> Tensor:
        """The Kullback-Leibler divergence KL(old ‖ new) [...], in nats."""
        ...

    def curvature(self, distribution: Distribution, move: Distribution) -> Tensor:
        """move' F move [...], F the Fisher information of the distribution in its own coordinates.

        Twice the divergence to a distribution that is a small `move` away, where that is one that parameters have.
        """
        ...
