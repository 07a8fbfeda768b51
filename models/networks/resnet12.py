"""The twelve-layer residual network of few-shot learning. Knows nothing of tasks."""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from models.functional import Params

LAYERS = 3  # 3x3 convolutions in a block
SLOPE = 0.1  # of the leaky ReLU


class ResNet12:
    """Four residual blocks of three 3x3 convolutions and a 1x1 shortcut, each halving height and width; then the
    average over what is left of them (Oreshkin et al. 2018; widths and slope of Lee et al. 2019, MetaOptNet).

    Normalisation is over all of one example's own maps (Wu & He 2018, with one group), never over the batch, as
    in conv4. Halving rounds up, so images of any size pass, one pixel included.
    """

    def __init__(self, channels: int, widths: tuple[int, ...]) -> None:
        """`channels` is C; `widths` the channels that each block gives."""
        self.channels = (channels, *widths)
        self.width = widths[-1]

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """He-normal weights; scales and shifts start as the identity."""
        params = {}
        for block, (fan_in, fan_out) in enumerate(zip(self.channels, self.channels[1:], strict=False)):
            inputs = (fan_in, *[fan_out] * (LAYERS - 1), fan_in)
            for layer, channels in enumerate(inputs):
                side = 3 if layer < LAYERS else 1
                spread = math.sqrt(2 / ((1 + SLOPE**2) * channels * side**2))
                weight = torch.randn(fan_out, channels, side, side, generator=generator) * spread
                params[f"backbone.{block}.{layer}.weight"] = weight
                params[f"backbone.{block}.{layer}.scale"] = torch.ones(fan_out)
                params[f"backbone.{block}.{layer}.shift"] = torch.zeros(fan_out)
        return params

    def __call__(self, params: Params, inputs: Tensor) -> Tensor:
        maps = inputs
        for block in range(len(self.channels) - 1):
            shortcut = self._normalised(params, f"backbone.{block}.{LAYERS}", maps)
            for layer in range(LAYERS):
                if layer:
                    maps = functional.leaky_relu(maps, SLOPE)
                maps = self._normalised(params, f"backbone.{block}.{layer}", maps)
            maps = functional.max_pool2d(maps + shortcut, 2, ceil_mode=True)
            # The activation rises with its argument, so it may follow the pooling, where a quarter is left.
            maps = functional.leaky_relu(maps, SLOPE)
        return maps.mean((-2, -1))

    @staticmethod
    def _normalised(params: Params, name: str, maps: Tensor) -> Tensor:
        """A convolution (one of 1x1 for the shortcut), normalised, with each channel's scale and shift."""
        weight = params[f"{name}.weight"]
        maps = functional.conv2d(maps, weight, padding=weight.shape[-1] // 2)
        scale, shift = params[f"{name}.scale"], params[f"{name}.shift"]
        return functional.group_norm(maps, 1, scale, shift)
