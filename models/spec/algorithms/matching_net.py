"""Matching networks' options."""

from typing import Annotated

from msgspec import Meta

from models.spec.algorithms.algorithm import Algorithm

MaxSupport = Annotated[int, Meta(ge=1, le=4096)]


class MatchingNetSpec(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="matchingnet"):
    """Matching networks (Vinyals et al. 2016): a query takes the labels of the support examples it resembles.

    An adaptation keeps every example, in `max_support` places whether used or not, and takes no more than that.
    """

    max_support: MaxSupport = 128

    @property
    def support_bound(self) -> int | None:
        return self.max_support
