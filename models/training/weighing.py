"""What an outer step is made of, counted in one run of it. Knows no clock: the counts are the same everywhere."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from models.training.meta_trainer import MetaTrainer
from models.training.outer_step import flatten, outer_rates
from models.training.plan_policy import Work


def weigh(trainer: MetaTrainer) -> Work:
    """One step of the trainer on copies of its example; the trainer stays as it is."""
    size = trainer.training.meta_batch_size
    episodes = (one.repeat(size, *[1] * one.dim()) for one in flatten(trainer.blocks.example))
    rates = outer_rates(trainer.training, 0, 1)[0].to(trainer.device)
    with _Scales() as scales:
        trainer.step(*trainer.outer_state, rates, *episodes)
    return Work(scales.kernels, scales.multiply_adds, scales.numbers, scales.grouped)


class _Scales(TorchDispatchMode):
    """Counts what runs below every transform."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernels = self.multiply_adds = self.numbers = 0
        self.grouped = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        answer = func(*args, **(kwargs or {}))
        self.kernels += 1
        packet = func.overloadpacket
        if packet in _PRODUCTS:
            self.multiply_adds += _PRODUCTS[packet](args)
        elif packet in _CONVOLUTIONS:
            self.multiply_adds += _convolved(answer, args)
            self.grouped |= args[_CONVOLUTIONS[packet]] > 1
        elif not func.is_view:
            self.numbers += sum(one.numel() for one in _tensors(answer))
        return answer


def _mm(args: tuple[Any, ...]) -> int:
    return int(args[-2].numel() * args[-1].shape[-1])


_aten = torch.ops.aten
_PRODUCTS: dict[Any, Callable[[tuple[Any, ...]], int]] = {
    _aten.mm: _mm,
    _aten.bmm: _mm,
    _aten.addmm: _mm,
    _aten.baddbmm: _mm,
}
# Where a convolution and its gradient say how many groups they have.
_CONVOLUTIONS = {_aten.convolution: 8, _aten.convolution_backward: 9}


def _convolved(answer: Any, args: tuple[Any, ...]) -> int:
    """Of a convolution, or of both products of its gradient."""
    if isinstance(answer, Tensor):
        return int(answer.numel() * args[1][0].numel())
    outputs, _, weight = args[:3]
    return 2 * int(outputs.numel() * weight[0].numel())


def _tensors(answer: Any) -> list[Tensor]:
    parts = answer if isinstance(answer, tuple | list) else (answer,)
    return [one for one in parts if isinstance(one, Tensor)]
