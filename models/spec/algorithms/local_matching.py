"""Local matching's options."""

from typing import Annotated

from msgspec import Meta

from models.spec.algorithms.algorithm import Algorithm
from models.spec.algorithms.matching_net import MaxSupport


class LocalMatchingSpec(
    Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="local_matching"
):
    """Images by their parts: each finds its like in the other image, near where it is itself (after DN4, Li et al.
    2019).

    A part is described by `width` numbers. An adaptation keeps the parts of every example, in `max_support` places
    whether used or not, and takes no more than that. On a network that keeps no places an example is one part.

    Some examples are like everything ("hubs"). `rivals` is the part of an example's likeness to those of other
    classes that its likeness to a query is less by (after Conneau et al. 2018); meta-training has none of it.
    """

    width: Annotated[int, Meta(ge=1, le=512)] = 32
    max_support: MaxSupport = 128
    rivals: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0

    @property
    def support_bound(self) -> int | None:
        return self.max_support
