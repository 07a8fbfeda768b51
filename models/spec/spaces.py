"""Spaces of actions that a policy chooses from."""

from typing import Annotated

import msgspec
from msgspec import Meta


class BoxSpace(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="space", tag="box"
):
    """Vectors of `shape` (A,), each number between `low` and `high`: what the environment carries out.

    A Gaussian policy may sample beyond it. Such an action is clipped by the environment, not by the policy, and
    goes back as it was sampled: its log-probability is that of the action before clipping.
    """

    shape: tuple[Annotated[int, Meta(ge=1, le=1024)]]
    low: float
    high: float

    @property
    def width(self) -> int:
        """A."""
        return self.shape[0]


class DiscreteSpace(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="space", tag="discrete"
):
    """The whole numbers from 0 to `n` - 1."""

    n: Annotated[int, Meta(ge=1, le=4096)]


ActionSpace = BoxSpace | DiscreteSpace
