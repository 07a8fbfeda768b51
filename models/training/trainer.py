"""The face of every trainer: what a job needs of one. Knows nothing of what is trained."""

from collections.abc import Mapping
from typing import Protocol

import msgspec
from torch import Tensor


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """Outer steps that one plan took: from an iteration on, until the next stretch."""

    first: int
    plan: str


class Named(Protocol):
    """A plan: its name says what decides a run's bytes besides configuration and seed."""

    @property
    def name(self) -> str: ...


class Trainer(Protocol):
    """Takes outer steps; its whole state goes into a checkpoint and comes back from one, bit for bit."""

    @property
    def iteration(self) -> int:
        """Outer steps taken."""
        ...

    @property
    def finished(self) -> bool: ...

    @property
    def plan(self) -> Named: ...

    @property
    def stretches(self) -> tuple[Stretch, ...]: ...

    @property
    def meta_params(self) -> dict[str, Tensor]:
        """The meta-parameters as they are now, float32 on the CPU, detached."""
        ...

    def run(self, iterations: int) -> dict[str, float]:
        """Takes that many outer steps, or those that are left; the mean of every metric over them."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by name, on the CPU."""
        ...

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state` gave. Raises ValueError where it does not fit."""
        ...
