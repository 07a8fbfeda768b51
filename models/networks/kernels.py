"""How a network computes what it computes: the same function but for rounding, at other speeds. Knows no network.

It is no part of a model: the parameters are the same, and a plan chooses by measurement.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from models.functional import Network, Params

Convolve = Callable[[Tensor, Tensor], Tensor]
"""Takes maps [E, C, H, W] and weights [O, C, 3, 3] to maps [E, O, H, W], with a border of zeros."""


class Kernels(NamedTuple):
    """`convolution` by the library, or as one product over patches; `backbone` says what it is rounded to, and with
    it what an algorithm compares place by place."""

    convolution: Literal["library", "patches"] = "library"
    backbone: Literal["float32", "bfloat16"] = "float32"


PLAIN = Kernels()


def by_library(maps: Tensor, weight: Tensor) -> Tensor:
    """As torch has it. Weights of their own for every task make it a grouped convolution."""
    return functional.conv2d(maps, weight, padding=1)


def by_patches(maps: Tensor, weight: Tensor) -> Tensor:
    """Every pixel's 3x3 patch times the weights (Chellapilla et al. 2006): with weights of their own for every
    task still one batched product, at nine times the memory of the maps."""
    channels, examples = maps.shape[1], len(maps)
    maps_CEHW = maps.permute(1, 0, 2, 3)
    # A shift is a pad on one side and a cut on the other, and so is its gradient.
    shifts = [
        functional.pad(maps_CEHW, (1 - column, column - 1, 1 - row, row - 1))
        for row in range(3)
        for column in range(3)
    ]
    products = weight.permute(0, 2, 3, 1).reshape(len(weight), 9 * channels) @ torch.cat(shifts).flatten(1)
    return products.view(len(weight), examples, *maps.shape[2:]).permute(1, 0, 2, 3).contiguous()


CONVOLUTIONS: dict[str, Convolve] = {"library": by_library, "patches": by_patches}


class InBfloat16:
    """A backbone that computes in bfloat16, from float32 parameters and inputs to float32 features.

    What comes after it (a head, a closed-form solve) and the parameters' own updates stay in float32.
    """

    def __init__(self, backbone: Network) -> None:
        self.backbone = backbone
        self.width = backbone.width

    def init(self, generator: Generator) -> dict[str, Tensor]:
        return self.backbone.init(generator)

    def __call__(self, params: Params, inputs: Tensor) -> Tensor:
        rounded = {name: value.bfloat16() for name, value in params.items() if name.startswith("backbone.")}
        return self.backbone(rounded, inputs.bfloat16()).to(torch.float32)
