"""The whole description of a learner: how it adapts, and what network it adapts."""

import msgspec

from models.spec.algorithms import AlgorithmSpec
from models.spec.networks import NetworkSpec


class LearnerSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What rebuilds a learner, together with the signature it was trained for.

    With `normalise` a regression learner sees every task in units of its own support set: of mean 0 and
    deviation 1, inputs and targets, column by column.
    """

    algorithm: AlgorithmSpec
    network: NetworkSpec
    normalise: bool = False
