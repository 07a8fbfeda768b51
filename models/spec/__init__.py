"""Plain data that says what a learner, a task family and a signature are. Imports no torch.

Every process may import this package: the api validates against it, the worker trains from it, the engine
rebuilds a learner from it. Building the thing described is the business of `models.build`.
"""

from models.spec.algorithms import (
    AlgorithmSpec,
    AnilSpec,
    BoilSpec,
    CaviaSpec,
    ImamlSpec,
    InvalidOption,
    MamlPolicySpec,
    MamlSpec,
    MetaCurvatureSpec,
    PriorFittedSpec,
    ProtoNetSpec,
    ReptileSpec,
    RidgeSpec,
    SurrogateName,
    with_options,
)
from models.spec.columns import ColumnSpec, encoded_width
from models.spec.cost import NetworkCost, curvature_numbers, network_cost
from models.spec.derived import max_ways_of, network_inputs_of, signature_of
from models.spec.environments import (
    BanditSpec,
    CheetahSpec,
    EnvironmentSpec,
    NavigationSpec,
    TabularMdpSpec,
    action_space,
    observation_width,
)
from models.spec.learner import LearnerSpec
from models.spec.networks import (
    Conv1dSpec,
    Conv4Spec,
    MlpSpec,
    NetworkSpec,
    ResNet12Spec,
    SeriesTransformerSpec,
    TableTransformerSpec,
)
from models.spec.outer import OuterSpec, PolicyGradientSpec, PpoSpec, TrpoSpec
from models.spec.signature import INPUT_KINDS, Datatype, InputKind, Signature, Task, TensorSpec
from models.spec.spaces import ActionSpace, BoxSpace, DiscreteSpace
from models.spec.tasks import (
    AugmentSpec,
    FunctionKind,
    FunctionsSpec,
    GroupedSpec,
    GroupSpec,
    LabelledSpec,
    SequencesSpec,
    SinusoidSpec,
    TablesSpec,
    TaskFamilySpec,
)

__all__ = [
    "INPUT_KINDS",
    "ActionSpace",
    "AlgorithmSpec",
    "AnilSpec",
    "AugmentSpec",
    "BanditSpec",
    "BoilSpec",
    "BoxSpace",
    "CaviaSpec",
    "CheetahSpec",
    "ColumnSpec",
    "Conv1dSpec",
    "Conv4Spec",
    "Datatype",
    "DiscreteSpace",
    "EnvironmentSpec",
    "FunctionKind",
    "FunctionsSpec",
    "GroupSpec",
    "GroupedSpec",
    "ImamlSpec",
    "InputKind",
    "InvalidOption",
    "LabelledSpec",
    "LearnerSpec",
    "MamlPolicySpec",
    "MamlSpec",
    "MetaCurvatureSpec",
    "MlpSpec",
    "NavigationSpec",
    "NetworkCost",
    "NetworkSpec",
    "OuterSpec",
    "PolicyGradientSpec",
    "PpoSpec",
    "PriorFittedSpec",
    "ProtoNetSpec",
    "ReptileSpec",
    "ResNet12Spec",
    "RidgeSpec",
    "SequencesSpec",
    "SeriesTransformerSpec",
    "Signature",
    "SinusoidSpec",
    "SurrogateName",
    "TableTransformerSpec",
    "TablesSpec",
    "TabularMdpSpec",
    "Task",
    "TaskFamilySpec",
    "TensorSpec",
    "TrpoSpec",
    "action_space",
    "curvature_numbers",
    "encoded_width",
    "max_ways_of",
    "network_cost",
    "network_inputs_of",
    "observation_width",
    "signature_of",
    "with_options",
]
