"""The whole description of a learner: how it adapts, and what network it adapts."""

import msgspec

from models.spec.algorithms import AlgorithmSpec
from models.spec.networks import NetworkSpec


class LearnerSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What rebuilds a learner, together with the signature it was trained for."""

    algorithm: AlgorithmSpec
    network: NetworkSpec
