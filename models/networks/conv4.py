"""The four-block convolutional network for small images. Knows nothing of tasks."""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from models.functional import Params
from models.networks.kernels import Convolve, by_library

BLOCKS = 4


class Conv4:
    """Four blocks of 3x3 convolution, normalisation, 2x2 max-pooling and ReLU (Vinyals et al. 2016).

    Normalisation is over all of one example's own maps (Wu & He 2018, with one group), never over the batch:
    batch statistics would let an answer depend on its batch mates. Each channel's scale and shift, and ReLU,
    come after the pooling, where a quarter of the numbers is left.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], hidden: int = 64, convolve: Convolve = by_library
    ) -> None:
        """`image_shape` is C, H, W; raises ValueError where the image is too small to be halved four times."""
        channels, height, width = image_shape
        smallest = 2**BLOCKS
        if min(height, width) < smallest:
            raise ValueError(
                f"conv4 needs images of at least {smallest}x{smallest} pixels, not {height}x{width}"
            )
        self.channels = (channels,) + (hidden,) * BLOCKS
        self.convolve = convolve
        self.width = hidden * (height // smallest) * (width // smallest)

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """He-uniform weights; scale and shift start as the identity."""
        params = {}
        for block, (fan_in, fan_out) in enumerate(zip(self.channels, self.channels[1:], strict=False)):
            bound = math.sqrt(6 / (fan_in * 9))
            weight = (torch.rand(fan_out, fan_in, 3, 3, generator=generator) * 2 - 1) * bound
            params[f"backbone.{block}.weight"] = weight
            params[f"backbone.{block}.scale"] = torch.ones(fan_out)
            params[f"backbone.{block}.shift"] = torch.zeros(fan_out)
        return params

    def __call__(self, params: Params, inputs: Tensor) -> Tensor:
        maps = inputs
        for block in range(BLOCKS):
            name = f"backbone.{block}"
            maps = self.convolve(maps, params[f"{name}.weight"])
            maps = functional.max_pool2d(functional.group_norm(maps, num_groups=1), 2)
            scale, shift = (params[f"{name}.{which}"][:, None, None] for which in ("scale", "shift"))
            maps = torch.relu(maps * scale + shift)
        return maps.flatten(1)
