"""Categorical policies for discrete actions. Knows its network as a pure function; nothing of environments."""

import torch
from torch import Generator, Tensor

from models.functional import Network, Params
from models.policies.policy import Distribution


class Categorical:
    """One of n actions, with probabilities softmax(outputs of the network)."""

    def __init__(self, network: Network) -> None:
        """`network` has n outputs."""
        self.network = network

    def init(self, generator: Generator) -> dict[str, Tensor]:
        return self.network.init(generator)

    def distribution(self, params: Params, observations: Tensor) -> dict[str, Tensor]:
        """`log_probabilities` [..., n]."""
        flat = self.network(params, observations.flatten(0, -2))
        outputs = flat.reshape(*observations.shape[:-1], flat.shape[-1])
        return {"log_probabilities": torch.log_softmax(outputs, -1)}

    def noise(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Uniform on [0, 1), [*shape]."""
        return torch.rand(*shape, generator=generator)

    def sample(self, distribution: Distribution, noise: Tensor) -> Tensor:
        """The inverse of the cumulative distribution at the noise."""
        cumulative = distribution["log_probabilities"].exp().cumsum(-1)
        # The last sum is 1 but for rounding: it must not be passed.
        return (noise.unsqueeze(-1) >= cumulative[..., :-1]).sum(-1)

    def log_prob(self, distribution: Distribution, actions: Tensor) -> Tensor:
        return distribution["log_probabilities"].gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def divergence(self, old: Distribution, new: Distribution) -> Tensor:
        before, after = old["log_probabilities"], new["log_probabilities"]
        return (before.exp() * (before - after)).sum(-1)

    def curvature(self, distribution: Distribution, move: Distribution) -> Tensor:
        return (distribution["log_probabilities"].exp() * move["log_probabilities"].square()).sum(-1)
