"""What is learned on a frozen encoder's features. Knows vectors; nothing of encoders, texts or tasks."""

import torch
from torch import Generator, Tensor
from torch.nn.functional import linear, normalize

from models.functional import Params


class Features:
    """Features less their mean over what was meta-trained on, of length one, then through a linear map and again.

    Centring takes away the direction that all features of a pretrained encoder share, and length one makes
    distances those of angles (Wang et al. 2019, SimpleShot). The mean is known before meta-training and stays.
    """

    def __init__(self, inputs: int, projection: int = 0, mean: Tensor | None = None) -> None:
        """`inputs` is the encoder's width; `projection` the map's, 0 for none. `mean` [inputs] is for `init`."""
        self.inputs = inputs
        self.projection = projection
        self._mean = mean

    @property
    def width(self) -> int:
        return self.projection or self.inputs

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """The mean, and a map that keeps all angles: the identity, or a random choice of directions."""
        # It may come from where the features are; what starts a run is the CPU's, as every other parameter.
        mean = torch.zeros(self.inputs) if self._mean is None else self._mean.to("cpu", copy=True)
        params = {"backbone.mean": mean}
        if self.projection:
            params["backbone.map"] = torch.zeros(self.projection, self.inputs)
            torch.nn.init.eye_(params["backbone.map"])
            if self.projection != self.inputs:
                drawn = torch.randn(self.projection, self.inputs, generator=generator)
                params["backbone.map"] = drawn / self.inputs**0.5
        return params

    def __call__(self, params: Params, inputs: Tensor) -> Tensor:
        features = normalize(inputs - params["backbone.mean"].detach(), dim=-1)
        return normalize(linear(features, params["backbone.map"]), dim=-1) if self.projection else features
