"""The residual network whose features keep their places. Knows nothing of tasks."""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from models.functional import Params
from models.networks.centring import centred

EPSILON = 1e-5  # added to a variance


class ResNetMaps:
    """A 3x3 convolution, and two residual blocks of two (He et al. 2016), of W / 2, W and 2 W channels; height and
    width are halved behind the first and the second, rounding up, and nothing is averaged at last.

    A row of features is the map of one example, place by place, 2 W columns each. Normalisation is over all of one
    example's own maps, as in resnet12.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        width: int,
        grid: tuple[int, int],
        channels_last: bool = False,
        is_centred: bool = False,
    ) -> None:
        """`image_shape` is C, H, W, `grid` the rows and columns that it is halved to; see `centred` of centring.

        With `channels_last` so are the maps of gray images too: a CPU pools them in a tenth of the time, but vmap
        finds no gradient of their pooling's gradient.
        """
        self._channels_last = channels_last
        self._is_centred = is_centred
        self.channels = (image_shape[0], width // 2, width, 2 * width)
        self.width = 2 * width * grid[0] * grid[1]

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """He-normal weights; scales and shifts start as the identity."""
        image, stem, middle, last = self.channels
        layers = {"0.0": (image, stem, 3)}
        for block, fan_in, fan_out in (("1", stem, middle), ("2", middle, last)):
            layers |= {f"{block}.0": (fan_in, fan_out, 3), f"{block}.1": (fan_out, fan_out, 3)}
            layers[f"{block}.2"] = (fan_in, fan_out, 1)
        params = {}
        for name, (fan_in, fan_out, side) in layers.items():
            weight = torch.randn(fan_out, fan_in, side, side, generator=generator)
            params[f"backbone.{name}.weight"] = weight * math.sqrt(2 / (fan_in * side**2))
            params[f"backbone.{name}.scale"] = torch.ones(fan_out)
            params[f"backbone.{name}.shift"] = torch.zeros(fan_out)
        return params

    def __call__(self, params: Params, inputs: Tensor) -> Tensor:
        if self._is_centred:
            inputs = centred(inputs)
        maps = inputs
        if inputs.device.type == "cpu":  # Channels last: so its convolutions take half the time.
            examples, channels, height, width = inputs.shape
            maps = inputs.permute(0, 2, 3, 1).flatten(1).reshape(examples, height, width, channels)
            maps = maps.permute(0, 3, 1, 2)
        maps = self._normalised(params, "backbone.0.0", maps)
        if self._channels_last:
            maps = maps.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        for block in ("backbone.1", "backbone.2"):
            maps = functional.max_pool2d(torch.relu(maps), 2, ceil_mode=True)
            inner = torch.relu(self._normalised(params, f"{block}.0", maps))
            maps = self._normalised(params, f"{block}.1", inner) + self._normalised(
                params, f"{block}.2", maps
            )
        return torch.relu(maps).permute(0, 2, 3, 1).flatten(1)

    @staticmethod
    def _normalised(params: Params, name: str, maps: Tensor) -> Tensor:
        """A convolution (one of 1x1 for the shortcut), normalised, with each channel's scale and shift."""
        weight = params[f"{name}.weight"]
        maps = functional.conv2d(maps, weight, padding=weight.shape[-1] // 2)
        # Not functional.group_norm: that asks for the memory's order, which vmap cannot tell; and a GPU's kernel
        # takes no other than this.
        if maps.device.type != "cpu":
            maps = maps.contiguous()
        examples, channels, height, width = maps.shape
        scale, shift = params[f"{name}.scale"], params[f"{name}.shift"]
        sizes = (examples, channels, height * width)
        return torch.native_group_norm(maps, scale, shift, *sizes, 1, EPSILON)[0]
