"""What every pretrained encoder is: features of examples, by its weights or by others in place of some."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, Self

import torch
from torch import Tensor


class Encoder(ABC):
    """One loaded `module`, shared by all that are `tuned`. Features are `width` numbers, of length one."""

    width: int
    module: torch.nn.Module
    _weights: Mapping[str, Tensor] | None = None

    @property
    def nbytes(self) -> int:
        return sum(value.nbytes for value in self.module.parameters())

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Those that `tuned` gave in place of the module's."""
        return self._weights or {}

    def tuned(self, weights: Mapping[str, Tensor]) -> Self:
        """The encoder with `weights`, by their names in the module, in place of its own of these names."""
        other = copy(self)
        other._weights = weights
        return other

    @abstractmethod
    def encode(self, examples: Any, before_each_pass: Callable[[int], None] = lambda _done: None) -> Tensor:
        """Features float32 [E, F] on the CPU; what one example gives depends on that example alone.

        `before_each_pass` is told how many are done, and may raise to break off.
        """

    @abstractmethod
    def features(self, examples: Tensor, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """Features [E, F] of examples as tensors where the module is; with `weights` as in `tuned`, and then to be
        differentiated by them and vmapped."""
