"""The fully connected network. Knows nothing of tasks or of what its features are used for."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Generator, Tensor

from models.functional import Params

Activation = Literal["relu", "tanh", "gelu"]

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "gelu": torch.nn.functional.gelu,
}


def uniform(shape: Sequence[int], bound: float, generator: Generator) -> Tensor:
    """Float32 drawn from U[-bound, bound]."""
    return (torch.rand(*shape, generator=generator) * 2 - 1) * bound


class Mlp:
    """Hidden layers of the given widths, an activation after each: features [E, hidden[-1]] from [E, D].

    `name` is what its parameters' names begin with. `linear_end` leaves the last layer without an activation.
    """

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int],
        activation: Activation = "relu",
        *,
        name: str = "backbone",
        linear_end: bool = False,
    ) -> None:
        self.widths = (in_features, *hidden)
        self.activation = ACTIVATIONS[activation]
        self._name = name
        self._bent = len(hidden) - linear_end

    @property
    def width(self) -> int:
        return self.widths[-1]

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Weights and biases from U[-1/sqrt(fan in), 1/sqrt(fan in)], torch's own default for a linear layer."""
        params = {}
        for layer, (fan_in, fan_out) in enumerate(zip(self.widths, self.widths[1:], strict=False)):
            bound = 1 / math.sqrt(fan_in)
            params[f"{self._name}.{layer}.weight"] = uniform((fan_out, fan_in), bound, generator)
            params[f"{self._name}.{layer}.bias"] = uniform((fan_out,), bound, generator)
        return params

    def __call__(self, params: Params, inputs: Tensor) -> Tensor:
        features = inputs
        for layer in range(len(self.widths) - 1):
            weight, bias = params[f"{self._name}.{layer}.weight"], params[f"{self._name}.{layer}.bias"]
            features = torch.nn.functional.linear(features, weight, bias)
            features = self.activation(features) if layer < self._bent else features
        return features
