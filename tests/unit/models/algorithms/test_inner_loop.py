"""The inner loop against descents worked out by hand."""

import pytest
import torch
from torch import Tensor

from models.algorithms.inner_loop import descend, descent


def _half_square(params: dict[str, Tensor]) -> Tensor:
    return 0.5 * params["w"].square().sum()


def test_steps_of_a_quadratic() -> None:
    start = {"w": torch.tensor([2.0, -4.0])}
    after = descend(_half_square, start, steps=3, rate=0.5)
    torch.testing.assert_close(after["w"], torch.tensor([0.25, -0.5]))
    torch.testing.assert_close(start["w"], torch.tensor([2.0, -4.0]))


def test_no_steps_change_nothing() -> None:
    start = {"w": torch.tensor([2.0])}
    assert torch.equal(descend(_half_square, start, steps=0, rate=0.5)["w"], start["w"])


def test_first_order_drops_the_second_derivative() -> None:
    def after(w: Tensor, first_order: bool) -> Tensor:
        return descend(_half_square, {"w": w}, steps=2, rate=0.5, first_order=first_order)["w"].sum()

    w = torch.tensor([2.0])
    # Each step multiplies by 1 - rate; first order takes the step itself for a constant.
    torch.testing.assert_close(torch.func.grad(after)(w, False), torch.tensor([0.25]))
    torch.testing.assert_close(torch.func.grad(after)(w, True), torch.tensor([1.0]))


def test_a_clipped_step_is_no_longer_than_it_may_be_and_a_short_one_is_as_it_was() -> None:
    params = {"a": torch.tensor([3.0, 4.0], dtype=torch.float64), "b": torch.tensor([12.0]).double()}

    def loss(values: dict[str, torch.Tensor]) -> torch.Tensor:
        return sum((value.square().sum() / 2 for value in values.values()), torch.zeros(()))

    def step(clip: float) -> dict[str, torch.Tensor]:
        (after,) = descent(loss, params, steps=1, rate=1.0, clip=clip)
        return {name: value - after[name] for name, value in params.items()}

    # The gradient is the parameters, of length 13.
    moved = step(6.5)
    torch.testing.assert_close(moved["a"], params["a"] / 2)
    torch.testing.assert_close(moved["b"], params["b"] / 2)
    torch.testing.assert_close(step(13.5)["a"], params["a"])
    torch.testing.assert_close(step(0.0)["a"], params["a"])


@pytest.mark.parametrize("scale", [0.0, 0.1, 10.0])
def test_the_gradient_through_a_clipped_step_is_that_of_differences(scale: float) -> None:
    start = scale * torch.randn(4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def after(values: torch.Tensor) -> torch.Tensor:
        (moved,) = descent(lambda one: one["w"].pow(4).sum(), {"w": values}, steps=1, rate=0.1, clip=1.0)
        return moved["w"].square().sum()

    assert torch.autograd.gradcheck(after, start.requires_grad_(), atol=1e-6)
