"""The algorithms a learner may adapt by, one file each, and the options that a caller of the service may set."""

from models.spec.algorithms.algorithm import Algorithm
from models.spec.algorithms.maml import MamlSpec
from models.spec.algorithms.options import InvalidOption, with_options
from models.spec.algorithms.protonet import ProtoNetSpec
from models.spec.algorithms.ridge import RidgeSpec

AlgorithmSpec = MamlSpec | ProtoNetSpec | RidgeSpec

__all__ = [
    "Algorithm",
    "AlgorithmSpec",
    "InvalidOption",
    "MamlSpec",
    "ProtoNetSpec",
    "RidgeSpec",
    "with_options",
]
