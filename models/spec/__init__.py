"""Plain data that says what a learner, a task family and a signature are. Imports no torch.

Every process may import this package: the api validates against it, the worker trains from it, the engine
rebuilds a learner from it. Building the thing described is the business of `models.build`.
"""

from models.spec.algorithms import (
    AlgorithmSpec,
    AnilSpec,
    AutoSpec,
    BoilSpec,
    CaviaSpec,
    ImamlSpec,
    InvalidOption,
    MamlSpec,
    MetaCurvatureSpec,
    PriorFittedSpec,
    ProtoNetSpec,
    ReptileSpec,
    RidgeSpec,
    with_options,
)
from models.spec.cost import NetworkCost, curvature_numbers, network_cost
from models.spec.derived import learned_signature, max_ways_of, network_inputs_of, signature_of
from models.spec.learner import LearnerSpec
from models.spec.networks import (
    ENCODER_NAME,
    Conv4Spec,
    EncoderSpec,
    MlpSpec,
    NetworkSpec,
    TableTransformerSpec,
)
from models.spec.signature import Datatype, Signature, Task, TensorSpec
from models.spec.tasks import (
    FunctionKind,
    FunctionsSpec,
    LabelledSpec,
    SinusoidSpec,
    TablesSpec,
    TaskFamilySpec,
)

__all__ = [
    "ENCODER_NAME",
    "AlgorithmSpec",
    "AnilSpec",
    "AutoSpec",
    "BoilSpec",
    "CaviaSpec",
    "Conv4Spec",
    "Datatype",
    "EncoderSpec",
    "FunctionKind",
    "FunctionsSpec",
    "ImamlSpec",
    "InvalidOption",
    "LabelledSpec",
    "LearnerSpec",
    "MamlSpec",
    "MetaCurvatureSpec",
    "MlpSpec",
    "NetworkCost",
    "NetworkSpec",
    "PriorFittedSpec",
    "ProtoNetSpec",
    "ReptileSpec",
    "RidgeSpec",
    "Signature",
    "SinusoidSpec",
    "TableTransformerSpec",
    "TablesSpec",
    "Task",
    "TaskFamilySpec",
    "TensorSpec",
    "curvature_numbers",
    "learned_signature",
    "max_ways_of",
    "network_cost",
    "network_inputs_of",
    "signature_of",
    "with_options",
]
