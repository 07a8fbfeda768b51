"""A second device on any machine: in the CPU's memory, and its tensors mix with the CPU's no more than a GPU's do.

Knows torch's dispatcher; nothing of ours. Everything is really computed, by the CPU's kernels, so that what depends
on data (items, shapes, branches, seeds) goes as it always does. What stays untested is a GPU itself: its kernels,
its rounding, pinned memory, recordings, and what it refuses beyond what is said here.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

# A device type that torch knows by name, has no kernels for, and whose gradients the calling thread computes: those
# of "cuda" it does not begin where it was built without.
ELSEWHERE = torch.device("lazy", 0)

_ATEN = torch.ops.aten
# Of these a GPU takes tensors of both sides: what moves data, and rows that are picked by a CPU's numbers.
_MOVES = {_ATEN.copy_.default, _ATEN._to_copy.default}
_PICKS = {
    _ATEN.index.Tensor,
    _ATEN._unsafe_index.Tensor,
    _ATEN.index_put.default,
    _ATEN.index_put_.default,
    _ATEN._index_put_impl_.default,
    _ATEN._unsafe_index_put.default,
}
# Of these it takes the CPU's numbers without dimensions as well: of two operands, and where something is chosen.
_NUMBERS = {
    getattr(_ATEN, name + way)
    for name in ("add", "sub", "mul", "div", "pow", "gt", "ge", "lt", "le", "eq", "ne", "masked_fill")
    for way in ("", "_")
} | {_ATEN.maximum, _ATEN.minimum, _ATEN.where}
# Of these a GPU takes contiguous memory alone, where the CPU takes images' channels last as well.
_CONTIGUOUS = {_ATEN.native_group_norm.default, _ATEN.native_group_norm_backward.default}


class MixedDevicesError(RuntimeError):
    """An operation met tensors of both devices."""


class _There(Tensor):
    """A tensor of the pretended device; `held` has its numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "_There":
        wrapped = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=ELSEWHERE,
        )
        wrapped.held = held
        return wrapped  # type: ignore[no-any-return]

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class _Pretending(TorchDispatchMode):
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _run(func, args, kwargs or {})


@contextmanager
def pretended_device() -> Iterator[torch.device]:
    """Within it there is the device that it gives: tensors are moved to it, and made on it.

    What mixes them with the CPU's raises MixedDevicesError.
    """
    before = torch._C._only_lift_cpu_tensors()  # type: ignore[attr-defined]
    # So that torch.tensor(..., device=...) moves its numbers by the dispatcher.
    torch._C._set_only_lift_cpu_tensors(True)  # type: ignore[attr-defined]
    try:
        with _Pretending():
            yield ELSEWHERE
    finally:
        torch._C._set_only_lift_cpu_tensors(before)  # type: ignore[attr-defined]


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the dispatcher asks for, by the CPU; it is then of the device that was named, else of what went in."""
    given = list(_tensors((*args, *kwargs.values())))
    there = any(isinstance(value, _There) for value in given)
    if there and func not in _MOVES:
        _check(func, args, given)
    device = kwargs.get("device")
    if device is not None:
        there = device.type == ELSEWHERE.type
        kwargs = {**kwargs, "device": torch.device("cpu")}
    generator = kwargs.get("generator")
    if there and generator is not None:
        raise MixedDevicesError(f"{func}: a generator of the CPU's for numbers on {ELSEWHERE}")
    found = func(*_mapped(_held, args), **{name: _mapped(_held, value) for name, value in kwargs.items()})
    if not there:
        return found
    return return_and_correct_aliasing(func, args, kwargs, _mapped(_There, found))


def _check(func: Any, args: tuple[Any, ...], given: list[Tensor]) -> None:
    """Raises MixedDevicesError, or RuntimeError for what else a GPU refuses."""
    if func in _PICKS:
        given = [value for value in (args[0], *args[2:]) if isinstance(value, Tensor)]
    strangers = [
        tuple(value.shape)
        for value in given
        if not isinstance(value, _There) and (value.dim() or func.overloadpacket not in _NUMBERS)
    ]
    if strangers:
        raise MixedDevicesError(f"{func}: CPU tensors of shapes {strangers} among those on {ELSEWHERE}")
    if func in _CONTIGUOUS and not all(value.is_contiguous() for value in given):
        raise RuntimeError(f"{func}: a GPU takes contiguous tensors alone")


def _held(value: Tensor) -> Tensor:
    return value.held if isinstance(value, _There) else value


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """Those among an operator's arguments, and in lists of them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _mapped(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """The value with every tensor of it changed; torch's own, for any tree, takes longer than the operators."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)([_mapped(change, part) for part in value])
    return value
