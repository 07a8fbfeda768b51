"""The pretended device refuses what a GPU refuses, takes what a GPU takes, and computes what the CPU computes."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.pretended_device import MixedDevicesError, pretended_device

MIXED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "arithmetic": lambda there, here: there + here,
    "a product": lambda there, here: here @ there,
    "a number of the device's": lambda there, here: here * there.sum(),
    "written into": lambda there, here: here.add_(there),
    "joined": lambda there, here: torch.cat([there, here]),
    "numbers joined": lambda there, here: torch.stack([there.sum(), here.sum()]),
    "a number of the CPU's between": lambda there, _: torch.lerp(there, there, torch.tensor(0.5)),
    "rows picked by the device's": lambda there, here: here[there.argmax(-1)],
    "rows replaced by the CPU's": lambda there, here: there.index_put((torch.tensor([0]),), here[:1]),
    "within vmap": lambda there, here: torch.vmap(torch.add)(there, here),
    "vmap over one alone": lambda there, here: torch.vmap(lambda row: (row * here).sum())(there),
    "a gradient": lambda there, here: torch.func.grad(lambda value: (value * here).sum())(there),
    "a CPU's generator": lambda there, _: torch.rand(3, generator=torch.Generator(), device=there.device),
}


@pytest.mark.parametrize("how", MIXED)
def test_what_mixes_devices_is_refused(how: str) -> None:
    with pretended_device() as device, pytest.raises(MixedDevicesError):
        MIXED[how](torch.ones(3, 3, device=device), torch.ones(3, 3))


def test_a_gpus_tensor_is_no_array() -> None:
    with pretended_device() as device, pytest.raises((RuntimeError, TypeError)):
        torch.ones(3, device=device).numpy()


@pytest.mark.parametrize(
    "work",
    [
        lambda rows: rows * torch.tensor(2.0),
        lambda rows: rows[torch.tensor([2, 0])],
        lambda rows: torch.where(rows > 1, rows, torch.tensor(0.0)),
        lambda rows: torch.nn.functional.one_hot(rows.argmax(-1), 3) + torch.tensor([1, 2, 3], device=rows.device),
        lambda rows: torch.vmap(torch.func.grad(lambda row: (row @ rows).square().sum()))(rows),
        lambda rows: rows.new_zeros(3, 3).index_put_((rows.argmin(-1),), rows[:, 0]),
        lambda rows: rows.clone().squeeze_(0)[:, :2].add_(1),
        lambda rows: torch.tensor(rows.tolist(), device=rows.device) * rows.sum().item(),
    ],
)  # fmt: skip
def test_what_a_gpu_takes_is_computed_as_by_the_cpu(work: Callable[[Tensor], Tensor]) -> None:
    rows = torch.arange(9.0).reshape(3, 3) / 3
    with pretended_device() as device:
        there = work(rows.to(device))
        assert there.device == device
        found = there.cpu()
    torch.testing.assert_close(found, work(rows))


def test_gradients_reach_what_is_there_and_what_is_here() -> None:
    with pretended_device() as device:
        here = torch.ones(3, requires_grad=True)
        there = torch.ones(3, device=device, requires_grad=True)
        (here.to(device) * there).square().sum().backward()
        assert here.grad is not None
        assert there.grad is not None
        assert (here.grad.device.type, there.grad.device) == ("cpu", device)
        assert here.grad.tolist() == there.grad.tolist() == [2.0] * 3


def test_maps_in_another_order_are_not_normalised() -> None:
    with pretended_device() as device:
        maps = torch.ones(2, 4, 3, 3, device=device)
        torch.native_group_norm(maps, None, None, 2, 4, 9, 2, 1e-5)
        last = maps.to(memory_format=torch.channels_last)
        with pytest.raises(RuntimeError, match="contiguous"):
            torch.native_group_norm(last, None, None, 2, 4, 9, 2, 1e-5)
