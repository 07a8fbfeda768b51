"""What an outer step does with a meta-gradient: Adam, or Muon for the networks' weights. Pure; knows no learner."""

import math
import re

import torch
from torch import Tensor

from models.training.config import OptimizerName
from models.training.outer_step import Layout, OuterState, Update, adam, clipped

MOMENTUM = 0.95
_WEIGHT = re.compile(r"(member\.\d+\.)?backbone\..*\.weight")
# Newton-Schulz: a quintic that draws singular values towards 1, and how often it is applied.
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
_SMALLEST = 1e-7
# The root mean square of Adam's steps, by which Muon's are measured: so both take the same rate.
_ADAM_RMS = 0.2


def update_of(optimizer: OptimizerName, clip_norm: float, layout: Layout) -> Update:
    """The update of a name, on a gradient clipped to a norm."""
    if optimizer == "muon":
        return Muon(layout, clip_norm)
    return lambda state, gradient, rates: adam(state, clipped(gradient, clip_norm), rates)


class Muon:
    """Weights move by the nearest orthogonal matrix to the mean gradient (Jordan et al. 2024), the rest by Adam.

    The weights are a backbone's `.weight`s of two dims or more; a convolution's count as a matrix
    [out, in * height * width]. A matrix's step is as long as one of Adam's would be (Liu et al. 2025).
    `exp_avg` keeps the mean of either; `exp_avg_sq` stays 0 where a matrix lies.
    """

    def __init__(self, layout: Layout, clip_norm: float) -> None:
        self._layout = layout
        self._clip_norm = clip_norm
        self._matrices = [
            name
            for name, shape in layout.shapes.items()
            if _WEIGHT.fullmatch(name) and len(shape) > 1 and min(shape[0], math.prod(shape[1:])) > 1
        ]

    def __call__(self, state: OuterState, gradient: Tensor, rates: Tensor) -> OuterState:
        gradient = clipped(gradient, self._clip_norm)
        params, exp_avg, exp_avg_sq = map(self._layout.unpack, adam(state, gradient, rates))
        before, means, gradients = map(self._layout.unpack, (state.params, state.exp_avg, gradient))
        for name in self._matrices:
            mean = torch.lerp(means[name], gradients[name], 1 - MOMENTUM)
            ahead = torch.lerp(gradients[name], mean, MOMENTUM)
            params[name] = before[name] - rates[2] * _step(ahead.flatten(1)).view(ahead.shape)
            exp_avg[name], exp_avg_sq[name] = mean, torch.zeros_like(mean)
        return OuterState(*map(self._layout.pack, (params, exp_avg, exp_avg_sq)))


def _step(matrix: Tensor) -> Tensor:
    """The orthogonal matrix near [A, B], by Newton-Schulz in bfloat16, scaled to the length of a step of Adam's."""
    tall = matrix.shape[0] > matrix.shape[1]
    wide = (matrix.T if tall else matrix).bfloat16()
    wide = wide / wide.norm().clamp(min=_SMALLEST)
    linear, cubic, quintic = _QUINTIC
    for _ in range(_ROUNDS):
        gram = wide @ wide.T
        wide = linear * wide + (cubic * gram + quintic * gram @ gram) @ wide
    scale = _ADAM_RMS * math.sqrt(max(matrix.shape))
    orthogonal: Tensor = wide.T if tall else wide
    return scale * orthogonal.to(matrix.dtype)
