"""A convolutional encoder for series. Knows nothing of tasks."""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from models.functional import Params

LAYERS = 2  # convolutions in a block


class Conv1d:
    """Residual blocks of two convolutions over time, each halving its length; then the average over what is left.

    The residual network for series of Wang, Yan & Oates 2017, with max-pooling between blocks. Normalisation is
    over all of one example's own numbers (Wu & He 2018, with one group), never over the batch. Halving rounds up,
    so series of any length pass.
    """

    def __init__(self, channels: int, hidden: int = 64, blocks: int = 4, kernel: int = 5) -> None:
        """`channels` is C of series [E, T, C]; `kernel`, odd, the steps that a convolution sees."""
        self.channels = (channels,) + (hidden,) * blocks
        self.kernel = kernel
        self.width = hidden

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """He-normal weights; scales and shifts start as the identity."""
        params = {}
        for block, (fan_in, fan_out) in enumerate(zip(self.channels, self.channels[1:], strict=False)):
            sides = (self.kernel,) * LAYERS + (1,)
            for layer, side in enumerate(sides):
                inputs = fan_out if 0 < layer < LAYERS else fan_in
                weight = torch.randn(fan_out, inputs, side, generator=generator)
                params[f"backbone.{block}.{layer}.weight"] = weight * math.sqrt(2 / (inputs * side))
                params[f"backbone.{block}.{layer}.scale"] = torch.ones(fan_out)
                params[f"backbone.{block}.{layer}.shift"] = torch.zeros(fan_out)
        return params

    def __call__(self, params: Params, inputs: Tensor) -> Tensor:
        maps = inputs.transpose(-2, -1)
        for block in range(len(self.channels) - 1):
            name = f"backbone.{block}"
            shortcut = self._normalised(params, f"{name}.{LAYERS}", maps)
            maps = torch.relu(self._normalised(params, f"{name}.0", maps))
            maps = self._normalised(params, f"{name}.1", maps) + shortcut
            maps = torch.relu(functional.max_pool1d(maps, 2, ceil_mode=True))
        return maps.mean(-1)

    @staticmethod
    def _normalised(params: Params, name: str, maps: Tensor) -> Tensor:
        weight = params[f"{name}.weight"]
        maps = functional.conv1d(maps, weight, padding=weight.shape[-1] // 2)
        return functional.group_norm(maps, 1, params[f"{name}.scale"], params[f"{name}.shift"])
