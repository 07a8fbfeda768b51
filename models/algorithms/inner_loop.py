"""The inner loop: gradient descent on one task's loss, as a pure function. Knows no network and no task family."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from models.functional import Params

Move = Callable[[int, dict[str, Tensor]], dict[str, Tensor]]
"""What a step subtracts, by name, from its number (counted from 0) and the gradients."""


def descend(
    loss: Callable[[dict[str, Tensor]], Tensor],
    params: Params,
    *,
    steps: int,
    rate: float | Move,
    first_order: bool = False,
) -> dict[str, Tensor]:
    """Parameters after `steps` steps of gradient descent at `rate` on `loss`, a scalar function of parameters.

    The result is differentiable in `params` through every step; `first_order` treats the gradients as
    constants, which drops the second derivatives (FOMAML, Finn et al. 2017, section 5.2).
    """
    current = dict(params)
    for after in descent(loss, params, steps=steps, rate=rate, first_order=first_order):
        current = after
    return current


def descent(
    loss: Callable[[dict[str, Tensor]], Tensor],
    params: Params,
    *,
    steps: int,
    rate: float | Move,
    first_order: bool = False,
    clip: float = 0.0,
) -> Iterator[dict[str, Tensor]]:
    """The parameters after each of `steps` steps; arguments as of `descend`.

    `clip` bounds the norm of each step's gradients, all parameters together; 0 does not.
    """
    current = dict(params)
    for step in range(steps):
        gradients = torch.func.grad(loss)(current)
        if first_order:
            gradients = {name: gradient.detach() for name, gradient in gradients.items()}
        if clip:
            gradients = clipped(gradients, clip)
        if callable(rate):
            moves = rate(step, gradients)
        else:
            moves = {name: rate * gradient for name, gradient in gradients.items()}
        current = {name: value - moves[name] for name, value in current.items()}
        yield current


def clipped(gradients: Params, norm: float) -> dict[str, Tensor]:
    """The gradients, or a multiple of them of that norm where they are longer; differentiable, at zero too."""
    squares = torch.stack([gradient.square().sum() for gradient in gradients.values()]).sum()
    scale = (norm**2 / squares.clamp(min=norm**2)).sqrt()
    return {name: scale * gradient for name, gradient in gradients.items()}
