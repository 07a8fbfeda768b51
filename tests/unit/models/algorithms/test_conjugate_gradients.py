"""Conjugate gradients against a solver, and where there is nothing to solve or nothing to gain."""

import torch
from torch import Tensor

from models.algorithms.conjugate_gradients import conjugate_gradients


def _solve(matrix: Tensor, right: Tensor, steps: int) -> Tensor:
    def product(vector: dict[str, Tensor]) -> dict[str, Tensor]:
        whole = matrix @ torch.cat([vector["a"], vector["b"]])
        return {"a": whole[:2], "b": whole[2:]}

    solution = conjugate_gradients(product, {"a": right[:2], "b": right[2:]}, steps)
    return torch.cat([solution["a"], solution["b"]])


def test_conjugate_gradients_solve_in_as_many_steps_as_there_are_unknowns() -> None:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(5, 5, generator=generator).double()
    matrix, right = root @ root.T + torch.eye(5).double(), torch.randn(5, generator=generator).double()
    exact = torch.linalg.solve(matrix, right)
    torch.testing.assert_close(_solve(matrix, right, 5), exact, rtol=1e-9, atol=1e-9)
    # Further steps find nothing left to do.
    torch.testing.assert_close(_solve(matrix, right, 50), exact, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(_solve(matrix, right, 2), exact, rtol=1e-3)


def test_nothing_to_solve_and_nothing_to_gain_give_numbers() -> None:
    assert torch.equal(_solve(torch.eye(5), torch.zeros(5), 3), torch.zeros(5))
    assert torch.equal(_solve(-torch.eye(5), torch.ones(5), 3), torch.zeros(5))
