"""A stand-in for a recording that needs no GPU: the function itself, run again at each replay."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from models.programs.recorded import NotRecordable


class EagerRecording:
    """As `models.programs.recorded.Recording`; `refuses` makes it one that cannot be had."""

    refuses = False

    def __init__(
        self, function: Callable[..., Sequence[Tensor]], examples: Sequence[Tensor], pool: Any = None
    ) -> None:
        if self.refuses:
            raise NotRecordable("it waits for the device")
        self.function = function
        self.inputs = [example.clone() for example in examples]
        # Warming up, as the real one does: what is changed in place has been.
        for _ in range(3):
            self.outputs = list(function(*self.inputs))

    @property
    def size(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.inputs, *self.outputs))

    def __call__(self, *given: Tensor) -> list[Tensor]:
        self.load(*given)
        self.replay()
        return [output.clone() for output in self.outputs]

    def load(self, *given: Tensor) -> None:
        for held, one in zip(self.inputs, given, strict=True):
            held.copy_(one)

    def replay(self) -> None:
        self.outputs = list(self.function(*self.inputs))
