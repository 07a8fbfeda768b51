"""The algorithms a learner may adapt by, one file each, and the options that a caller of the service may set."""

from models.spec.algorithms.algorithm import Algorithm
from models.spec.algorithms.maml import MamlSpec
from models.spec.algorithms.options import InvalidOption, with_options
from models.spec.algorithms.prior_fitted import PriorFittedSpec
from models.spec.algorithms.protonet import ProtoNetSpec
from models.spec.algorithms.ridge import RidgeSpec

AlgorithmSpec = MamlSpec | PriorFittedSpec | ProtoNetSpec | RidgeSpec

__all__ = [
    "Algorithm",
    "AlgorithmSpec",
    "InvalidOption",
    "MamlSpec",
    "PriorFittedSpec",
    "ProtoNetSpec",
    "RidgeSpec",
    "with_options",
]
