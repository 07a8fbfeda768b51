"""The whole description of a learner: how it adapts, and what network it adapts."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.spec.algorithms import AlgorithmSpec
from models.spec.networks import NetworkSpec


class LearnerSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What rebuilds a learner, together with the signature it was trained for.

    With `normalise` a regression learner sees every task in units of its own support set: of mean 0 and
    deviation 1, inputs and targets, column by column.
    `members` of them start apart, learn side by side and answer together (a deep ensemble). With `views` above 1
    an adapted model sees so many copies of each image, scaled, turned and shifted, of its support set and of what
    it is asked alike; meta-training sees each image once. With `turns` it adapts to the whole task from 4 or 8
    sides, quarter turns and those mirrored, and answers with their mean; the images are square.
    """

    algorithm: AlgorithmSpec
    network: NetworkSpec
    normalise: bool = False
    members: Annotated[int, Meta(ge=1, le=16)] = 1
    views: Annotated[int, Meta(ge=1, le=9)] = 1
    turns: Literal[1, 4, 8] = 1

    @property
    def support_bound(self) -> int | None:
        """The most examples that one adaptation may have; None where the algorithm sets no bound.

        An algorithm that keeps examples keeps every view of each.
        """
        bound = self.algorithm.support_bound
        return None if bound is None else bound // self.views
