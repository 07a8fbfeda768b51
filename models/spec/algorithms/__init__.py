"""The algorithms a learner may adapt by, one file each, and the options that a caller of the service may set."""

from models.spec.algorithms.algorithm import Algorithm
from models.spec.algorithms.maml import MamlSpec
from models.spec.algorithms.maml_policy import MamlPolicySpec, SurrogateName
from models.spec.algorithms.options import InvalidOption, with_options
from models.spec.algorithms.protonet import ProtoNetSpec
from models.spec.algorithms.ridge import RidgeSpec

AlgorithmSpec = MamlSpec | ProtoNetSpec | RidgeSpec | MamlPolicySpec

__all__ = [
    "Algorithm",
    "AlgorithmSpec",
    "InvalidOption",
    "MamlPolicySpec",
    "MamlSpec",
    "ProtoNetSpec",
    "RidgeSpec",
    "SurrogateName",
    "with_options",
]
