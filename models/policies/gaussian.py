"""Gaussian policies for boxes of actions. Knows its network as a pure function; nothing of environments."""

import math

import torch
from torch import Generator, Tensor

from models.functional import Network, Params
from models.policies.policy import Distribution
from models.spec import BoxSpace

LOG_STD = "log_std"


class Gaussian:
    """Independent normal actions: their mean is the network's output, their std is learned and state-free.

    Network and `log_std` [A] speak in half widths of the box, around its middle, so that one learning rate suits
    all of them; distributions and actions are in the environment's units. Below `min_std` (in half widths) the
    std stays there, and has no gradient.
    """

    def __init__(self, space: BoxSpace, network: Network, initial_std: float, min_std: float) -> None:
        """`network` has A outputs."""
        self.space = space
        self.network = network
        self._initial = math.log(initial_std)
        self._least = math.log(min_std)
        self._middle = (space.high + space.low) / 2
        self._half = (space.high - space.low) / 2

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """The network's parameters and `log_std` [A]."""
        return {**self.network.init(generator), LOG_STD: torch.full((self.space.width,), self._initial)}

    def distribution(self, params: Params, observations: Tensor) -> dict[str, Tensor]:
        """`mean` [..., A] and `log_std` [A], in the environment's units."""
        flat = self.network(params, observations.flatten(0, -2))
        mean = self._middle + self._half * flat.reshape(*observations.shape[:-1], self.space.width)
        return {"mean": mean, LOG_STD: params[LOG_STD].clamp(min=self._least) + math.log(self._half)}

    def noise(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Standard normal [*shape, A]."""
        return torch.randn(*shape, self.space.width, generator=generator)

    def sample(self, distribution: Distribution, noise: Tensor) -> Tensor:
        return distribution["mean"] + distribution[LOG_STD].exp() * noise

    def log_prob(self, distribution: Distribution, actions: Tensor) -> Tensor:
        log_std = distribution[LOG_STD]
        deviations = (actions - distribution["mean"]) * (-log_std).exp()
        constant = 0.5 * math.log(2 * math.pi) * self.space.width
        return -0.5 * deviations.square().sum(-1) - log_std.sum(-1) - constant

    def divergence(self, old: Distribution, new: Distribution) -> Tensor:
        apart = (old["mean"] - new["mean"]).square() + (2 * old[LOG_STD]).exp()
        each = new[LOG_STD] - old[LOG_STD] + 0.5 * apart * (-2 * new[LOG_STD]).exp() - 0.5
        return each.sum(-1)

    def curvature(self, distribution: Distribution, move: Distribution) -> Tensor:
        means = move["mean"].square() * (-2 * distribution[LOG_STD]).exp()
        return (means + 2 * move[LOG_STD].square()).sum(-1)
