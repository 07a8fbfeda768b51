"""A last layer on a backbone. Knows nothing of tasks."""

import math

import torch
from torch import Generator, Tensor

from models.functional import Network, Params


class WithHead:
    """A backbone followed by one linear layer: outputs [E, `outputs`] from [E, X]."""

    head_names = ("head.weight", "head.bias")

    def __init__(self, backbone: Network, outputs: int) -> None:
        self.backbone = backbone
        self.width = outputs

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """The backbone's parameters, and a head whose weights and biases are from U[-1/sqrt(F), 1/sqrt(F)]."""
        params = self.backbone.init(generator)
        bound = 1 / math.sqrt(self.backbone.width)
        params["head.weight"] = (
            torch.rand(self.width, self.backbone.width, generator=generator) * 2 - 1
        ) * bound
        params["head.bias"] = (torch.rand(self.width, generator=generator) * 2 - 1) * bound
        return params

    def features(self, params: Params, inputs: Tensor) -> Tensor:
        return self.backbone(params, inputs)

    def head(self, params: Params, features: Tensor) -> Tensor:
        return torch.nn.functional.linear(features, params["head.weight"], params["head.bias"])

    def __call__(self, params: Params, inputs: Tensor) -> Tensor:
        return self.head(params, self.features(params, inputs))
