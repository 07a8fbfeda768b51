"""The algorithms a learner may adapt by, one file each, and the options that a caller of the service may set."""

from models.spec.algorithms.algorithm import Algorithm
from models.spec.algorithms.anil import AnilSpec
from models.spec.algorithms.boil import BoilSpec
from models.spec.algorithms.cavia import CaviaSpec
from models.spec.algorithms.imaml import ImamlSpec
from models.spec.algorithms.maml import MamlSpec
from models.spec.algorithms.maml_policy import MamlPolicySpec, SurrogateName
from models.spec.algorithms.meta_curvature import MetaCurvatureSpec
from models.spec.algorithms.options import InvalidOption, with_options
from models.spec.algorithms.prior_fitted import PriorFittedSpec
from models.spec.algorithms.protonet import ProtoNetSpec
from models.spec.algorithms.reptile import ReptileSpec
from models.spec.algorithms.ridge import RidgeSpec

AlgorithmSpec = (
    AnilSpec
    | BoilSpec
    | CaviaSpec
    | ImamlSpec
    | MamlSpec
    | MamlPolicySpec
    | MetaCurvatureSpec
    | PriorFittedSpec
    | ProtoNetSpec
    | ReptileSpec
    | RidgeSpec
)

__all__ = [
    "Algorithm",
    "AlgorithmSpec",
    "AnilSpec",
    "BoilSpec",
    "CaviaSpec",
    "ImamlSpec",
    "InvalidOption",
    "MamlPolicySpec",
    "MamlSpec",
    "MetaCurvatureSpec",
    "PriorFittedSpec",
    "ProtoNetSpec",
    "ReptileSpec",
    "RidgeSpec",
    "SurrogateName",
    "with_options",
]
