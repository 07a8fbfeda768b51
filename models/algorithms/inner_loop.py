"""The inner loop: gradient descent on one task's loss, as a pure function. Knows no network and no task family."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.functional import Params


def descend(
    loss: Callable[[dict[str, Tensor]], Tensor],
    params: Params,
    *,
    steps: int,
    rate: float,
    first_order: bool = False,
) -> dict[str, Tensor]:
    """Parameters after `steps` steps of gradient descent at `rate` on `loss`, a scalar function of parameters.

    The result is differentiable in `params` through every step; `first_order` treats the gradients as
    constants, which drops the second derivatives (FOMAML, Finn et al. 2017, section 5.2).
    """
    current = dict(params)
    for _ in range(steps):
        gradients = torch.func.grad(loss)(current)
        if first_order:
            gradients = {name: gradient.detach() for name, gradient in gradients.items()}
        current = {name: value - rate * gradients[name] for name, value in current.items()}
    return current
