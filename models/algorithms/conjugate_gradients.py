"""Conjugate gradients over parameters by name: a linear system from products alone. Pure; knows no learner."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.functional import Params


def conjugate_gradients(
    product: Callable[[dict[str, Tensor]], dict[str, Tensor]], right: dict[str, Tensor], steps: int
) -> dict[str, Tensor]:
    """x with A x = `right` after so many steps of conjugate gradients from zero, A given by its `product`.

    Hestenes & Stiefel 1952. Once the residual is zero, or A shows a direction in which it is not positive, the
    solution stays.
    """
    solution = {name: torch.zeros_like(value) for name, value in right.items()}
    residual, direction = right, right
    square = dot(residual, residual)
    for _ in range(steps):
        curved = product(direction)
        curvature = dot(direction, curved)
        length = torch.where(curvature > 0, square / curvature, 0.0)
        solution = {name: value + length * direction[name] for name, value in solution.items()}
        residual = {name: value - length * curved[name] for name, value in residual.items()}
        before, square = square, dot(residual, residual)
        turn = torch.where(before > 0, square / before, 0.0)
        direction = {name: value + turn * direction[name] for name, value in residual.items()}
    return solution


def dot(left: Params, right: Params) -> Tensor:
    """The sum of the products of all numbers, a scalar."""
    return torch.stack([(value * right[name]).sum() for name, value in left.items()]).sum()
