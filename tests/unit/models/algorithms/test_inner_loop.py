"""The inner loop against descents worked out by hand."""

import torch
from torch import Tensor

from models.algorithms.inner_loop import descend


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
