"""The algorithms a learner may adapt by, one file each, and the options that a caller of the service may set."""

from models.spec.algorithms.algorithm import Algorithm
from models.spec.algorithms.anil import AnilSpec
from models.spec.algorithms.auto import AutoSpec
from models.spec.algorithms.boil import BoilSpec
from models.spec.algorithms.cavia import CaviaSpec
from models.spec.algorithms.imaml import ImamlSpec
from models.spec.algorithms.local_matching import LocalMatchingSpec
from models.spec.algorithms.logistic import LogisticSpec
from models.spec.algorithms.maml import MamlSpec
from models.spec.algorithms.maml_policy import MamlPolicySpec, SurrogateName
from models.spec.algorithms.matching_net import MatchingNetSpec
from models.spec.algorithms.meta_curvature import MetaCurvatureSpec
from models.spec.algorithms.neural_process import AnpSpec, CnpSpec
from models.spec.algorithms.options import InvalidOption, with_options
from models.spec.algorithms.prior_fitted import PriorFittedSpec
from models.spec.algorithms.protonet import ProtoNetSpec
from models.spec.algorithms.reptile import ReptileSpec
from models.spec.algorithms.ridge import RidgeSpec
from models.spec.algorithms.svm import SvmSpec

AlgorithmSpec = (
    AnilSpec
    | AnpSpec
    | AutoSpec
    | BoilSpec
    | CaviaSpec
    | CnpSpec
    | ImamlSpec
    | LocalMatchingSpec
    | LogisticSpec
    | MamlSpec
    | MamlPolicySpec
    | MatchingNetSpec
    | MetaCurvatureSpec
    | PriorFittedSpec
    | ProtoNetSpec
    | ReptileSpec
    | RidgeSpec
    | SvmSpec
)

__all__ = [
    "Algorithm",
    "AlgorithmSpec",
    "AnilSpec",
    "AnpSpec",
    "AutoSpec",
    "BoilSpec",
    "CaviaSpec",
    "CnpSpec",
    "ImamlSpec",
    "InvalidOption",
    "LocalMatchingSpec",
    "LogisticSpec",
    "MamlPolicySpec",
    "MamlSpec",
    "MatchingNetSpec",
    "MetaCurvatureSpec",
    "PriorFittedSpec",
    "ProtoNetSpec",
    "ReptileSpec",
    "RidgeSpec",
    "SurrogateName",
    "SvmSpec",
    "with_options",
]
