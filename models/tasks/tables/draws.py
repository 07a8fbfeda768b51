"""Random numbers on the generator's own device, of a whole batch of tables at once. Knows shapes alone."""

import math
from random import Random

import torch
from torch import Generator, Tensor


def normal(generator: Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, device=generator.device)


def between(generator: Generator, low: float, high: float, *shape: int) -> Tensor:
    """From U[low, high]."""
    return low + (high - low) * torch.rand(*shape, generator=generator, device=generator.device)


def log_between(generator: Generator, low: float, high: float, *shape: int) -> Tensor:
    """From low to high, uniform in the logarithm."""
    return between(generator, math.log(low), math.log(high), *shape).exp()


def whole(generator: Generator, low: int, high: int, *shape: int) -> Tensor:
    """Int64 from low to high, both among them."""
    return torch.randint(low, high + 1, shape, generator=generator, device=generator.device)


def chance(generator: Generator, share: float | Tensor, *shape: int) -> Tensor:
    """Bool, true with the probability `share`, a number or a tensor that broadcasts."""
    return torch.rand(*shape, generator=generator, device=generator.device) < share


def chooser(generator: Generator) -> Random:
    """For what the code itself branches by: numbers on the host, so that a device is waited for but once."""
    return Random(int(whole(generator, 0, 2**31 - 1, 1)))


def standardised(values: Tensor) -> Tensor:
    """Values [..., E, D] with mean 0 and deviation 1 over the rows; a constant becomes 0."""
    centred = values - values.mean(-2, keepdim=True)
    return centred / centred.square().mean(-2, keepdim=True).sqrt().clamp(min=1e-6)
