"""Recordings: the same numbers for other inputs, state that stays, and a device that survives a failed one."""

import pytest
import torch
from torch import Tensor

from models.programs.recorded import NotRecordable, Recording, shared_pool
from tests.gpu.cuda import CUDA, apart, needs_cuda

pytestmark = needs_cuda


def _product(left: Tensor, right: Tensor, slots: Tensor) -> tuple[Tensor, ...]:
    product = torch.softmax(left @ right, dim=-1)
    return product, product.gather(-1, slots)


def _drawn(seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    left, right = torch.randn(8, 16, generator=generator), torch.randn(16, 5, generator=generator)
    return [left.to(CUDA), right.to(CUDA), torch.randint(0, 5, (8, 1), generator=generator).to(CUDA)]


def test_a_replay_computes_what_the_function_does_for_other_inputs() -> None:
    recording = Recording(_product, _drawn(0))
    first = recording(*_drawn(1))
    second = recording(*_drawn(2))
    for seed, outputs in ((1, first), (2, second)):
        for mine, theirs in zip(outputs, _product(*_drawn(seed)), strict=True):
            assert apart(theirs, mine) <= 1e-6


def test_recordings_of_one_pool_do_not_disturb_one_another() -> None:
    pool = shared_pool()
    one, other = Recording(_product, _drawn(0), pool), Recording(_product, _drawn(0), pool)
    before = one(*_drawn(1))
    other(*_drawn(2))
    for mine, theirs in zip(before, _product(*_drawn(1)), strict=True):
        assert apart(theirs, mine) <= 1e-6
    del other
    assert apart(_product(*_drawn(3))[0], one(*_drawn(3))[0]) <= 1e-6


def test_what_is_changed_in_place_stays() -> None:
    def count(total: Tensor) -> tuple[Tensor, ...]:
        total.add_(1)
        return ()

    recording = Recording(count, [torch.zeros(1, device=CUDA)])
    recording.load(torch.zeros(1, device=CUDA))
    for _ in range(5):
        recording.replay()
    assert recording.inputs[0].item() == 5


def test_through_grad_of_vmap_of_grad() -> None:
    def loss(weight: Tensor, x: Tensor) -> Tensor:
        inner = torch.func.grad(lambda one: torch.tanh(one @ x).square().sum())(weight)
        return torch.tanh((weight - 0.1 * inner) @ x).square().sum()

    def gradient(weight: Tensor, x_M: Tensor) -> tuple[Tensor, ...]:
        return (torch.func.grad(lambda one: torch.vmap(loss, (None, 0))(one, x_M).mean())(weight),)

    weight, x_M = torch.randn(4, 6, device=CUDA), torch.randn(7, 6, 3, device=CUDA)
    recording = Recording(gradient, [weight, x_M])
    assert apart(gradient(2 * weight, x_M)[0], recording(2 * weight, x_M)[0]) <= 1e-6


def test_what_waits_for_the_device_is_not_recorded_and_the_device_goes_on() -> None:
    def waits(x: Tensor) -> tuple[Tensor, ...]:
        return (x * float(x.sum().item()),)

    with pytest.raises(NotRecordable):
        Recording(waits, [torch.ones(3, device=CUDA)])
    # Freeing what is cached is where torch's allocator would notice a recording that never ended.
    torch.cuda.empty_cache()
    assert Recording(_product, _drawn(0))(*_drawn(1))[0].shape == (8, 5)


def test_closed_forms_are_recorded_or_refused_but_never_wrong() -> None:
    def solve(matrices: Tensor, columns: Tensor) -> tuple[Tensor, ...]:
        factor, _ = torch.linalg.cholesky_ex(matrices)
        lower = torch.linalg.solve_triangular(factor, columns, upper=False)
        return lower, torch.cholesky_solve(columns, factor)

    def drawn(seed: int) -> list[Tensor]:
        generator = torch.Generator().manual_seed(seed)
        root = torch.randn(6, 9, 9, generator=generator, dtype=torch.float64)
        columns = torch.randn(6, 9, 2, generator=generator, dtype=torch.float64)
        return [(root @ root.mT + torch.eye(9, dtype=torch.float64)).to(CUDA), columns.to(CUDA)]

    try:
        recording = Recording(solve, drawn(0))
    except NotRecordable as error:
        pytest.skip(f"not recordable here: {error}")
    for mine, theirs in zip(recording(*drawn(1)), solve(*drawn(1)), strict=True):
        assert apart(theirs, mine) <= 1e-9
