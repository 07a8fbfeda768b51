"""From descriptions to the things described: explicit tables, one per kind of thing.

A version is rebuilt from its learner spec, its signature and its most classes (`models.spec.max_ways_of`, kept
in the manifest), and its meta-parameters, which `check_params` holds against what the learner expects.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from models.algorithms.anil import Anil
from models.algorithms.anp import Anp
from models.algorithms.bayesian_ridge import BayesianRidge
from models.algorithms.boil import Boil
from models.algorithms.cavia import Cavia
from models.algorithms.cnp import Cnp
from models.algorithms.default_head import DefaultHead
from models.algorithms.encoded import Encoded
from models.algorithms.ensemble import Ensemble
from models.algorithms.imaml import Imaml
from models.algorithms.learner import MetaLearner
from models.algorithms.logistic import Logistic
from models.algorithms.maml import Maml
from models.algorithms.maml_policy import MamlPolicy
from models.algorithms.matching_net import MatchingNet
from models.algorithms.meta_curvature import MetaCurvature
from models.algorithms.normalised import Normalised
from models.algorithms.prior_fitted import PriorFitted
from models.algorithms.protonet import ProtoNet
from models.algorithms.reptile import Reptile
from models.algorithms.ridge_classifier import RidgeClassifier
from models.algorithms.svm import Svm
from models.algorithms.views import Views
from models.encoders.text import TextEncoder
from models.encoders.tuning import Tuning
from models.environments.bandit import Bandit
from models.environments.environment import EnvironmentFamily
from models.environments.half_cheetah import HalfCheetah
from models.environments.navigation import Navigation
from models.environments.seasons import Seasons
from models.environments.tabular_mdp import TabularMdp
from models.functional import Network, Params
from models.networks.conv1d import Conv1d
from models.networks.conv4 import Conv4
from models.networks.features import Features
from models.networks.heads import WithHead
from models.networks.kernels import CONVOLUTIONS, InBfloat16, Kernels
from models.networks.mlp import Mlp
from models.networks.resnet12 import ResNet12
from models.networks.series_transformer import SeriesTransformer
from models.networks.table_transformer import TableTransformer
from models.networks.tuned import Tuned
from models.policies.categorical import Categorical
from models.policies.gaussian import Gaussian
from models.policies.policy import Policy
from models.spec import (
    AnilSpec,
    AnpSpec,
    AutoSpec,
    BanditSpec,
    BoilSpec,
    BoxSpace,
    CaviaSpec,
    CheetahSpec,
    CnpSpec,
    Conv1dSpec,
    Conv4Spec,
    EncoderSpec,
    EnvironmentSpec,
    FunctionsSpec,
    GroupedSpec,
    ImamlSpec,
    LabelledSpec,
    LearnerSpec,
    LogisticSpec,
    MamlPolicySpec,
    MamlSpec,
    MatchingNetSpec,
    MetaCurvatureSpec,
    MlpSpec,
    NavigationSpec,
    NetworkSpec,
    PriorFittedSpec,
    ProtoNetSpec,
    ReptileSpec,
    ResNet12Spec,
    RidgeSpec,
    SeasonsSpec,
    SequencesSpec,
    SeriesTransformerSpec,
    Signature,
    SinusoidSpec,
    SvmSpec,
    TablesSpec,
    TableTransformerSpec,
    TabularMdpSpec,
    TaskFamilySpec,
    learned_signature,
    network_inputs_of,
)
from models.tasks.family import TaskFamily
from models.tasks.functions import Functions
from models.tasks.grouped import Grouped
from models.tasks.grouped_data import GroupedData
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData
from models.tasks.sequences import Sequences
from models.tasks.sinusoid import Sinusoid
from models.tasks.tables.family import Tables

AnyLearner = MetaLearner | MamlPolicy

# What a learner's `init` makes its parameters with; and how many more than were given it may make before it is
# stopped, so that for all but the vast ones it can be said which are wrong.
_MAKERS = (torch.rand, torch.randn, torch.zeros, torch.ones)
_SLACK = 1 << 22

_PLAIN = Kernels()


def build_network(
    spec: NetworkSpec,
    signature: Signature,
    kernels: Kernels = _PLAIN,
    mean: Tensor | None = None,
    encoder: TextEncoder | None = None,
) -> Network:
    """The backbone that `spec` names, for the signature's inputs; raises ValueError where they do not fit.

    Of an encoder it is what is learned on the features, whose `mean` [F] over what is meta-trained on `init` starts
    from; with the `encoder` itself, its tuned weights too: the network then takes tokens.
    """
    signature = learned_signature(spec, signature)
    if spec.takes != signature.input_kind:
        name = type(spec).__struct_config__.tag
        raise ValueError(f"network {name} takes {spec.takes}, and the inputs are {signature.input_kind}")
    backbone = _backbone(spec, signature.inputs.example_shape, kernels, mean)
    if encoder is not None and isinstance(spec, EncoderSpec) and isinstance(backbone, Features):
        backbone = Tuned(encoder, Tuning(encoder.module, spec), backbone)
    return InBfloat16(backbone) if kernels.backbone == "bfloat16" else backbone


def _backbone(spec: NetworkSpec, shape: tuple[int, ...], kernels: Kernels, mean: Tensor | None) -> Network:
    match spec:
        case EncoderSpec():
            return Features(shape[0], spec.projection, mean)
        case MlpSpec():
            return Mlp(shape[0], spec.hidden, spec.activation)
        case Conv4Spec():
            height, width, channels = shape
            return Conv4((channels, height, width), spec.hidden, CONVOLUTIONS[kernels.convolution])
        case TableTransformerSpec():
            raise ValueError("network table_transformer makes no features; it is prior_fitted's")
        case ResNet12Spec():
            return ResNet12(shape[-1], spec.widths)
        case Conv1dSpec():
            return Conv1d(shape[-1], spec.hidden, spec.blocks, spec.kernel)
        case SeriesTransformerSpec():
            return SeriesTransformer(shape, spec.hidden, spec.layers, spec.heads, spec.patch)


def build_learner(
    spec: LearnerSpec,
    signature: Signature,
    max_ways: int | None = None,
    kernels: Kernels = _PLAIN,
    mean: Tensor | None = None,
    encoder: TextEncoder | None = None,
) -> MetaLearner:
    """The learner that `spec` describes, with its members and views, for one signature: the wire's, or what an
    encoder makes of that.

    `max_ways` is the number of class slots that a classifier with an output layer has; the others need none. `mean`
    and `encoder` as in `build_network`. Raises ValueError where algorithm, network and signature do not fit.
    """
    signature = learned_signature(spec.network, signature)
    if signature.columns or signature.target_columns:
        return Encoded(build_learner(spec, signature.encoded, max_ways, kernels), signature)
    if spec.normalise:
        if signature.task != "regression" or signature.input_kind != "vectors":
            raise ValueError("only regression on vectors is normalised by a task's own support set")
        plain = msgspec.structs.replace(spec, normalise=False)
        return Normalised(build_learner(plain, signature, kernels=kernels))
    learner = _one_member(spec, signature, max_ways, kernels, mean, encoder)
    if spec.members > 1:
        learner = Ensemble(learner, spec.members)
    if spec.views > 1:
        if not signature.is_image:
            raise ValueError("only images have several views, and an encoder's features are none")
        learner = Views(learner, spec.views)
    return learner


def _one_member(
    spec: LearnerSpec,
    signature: Signature,
    max_ways: int | None,
    kernels: Kernels,
    mean: Tensor | None,
    encoder: TextEncoder | None,
) -> MetaLearner:
    algorithm, task = spec.algorithm, signature.task
    if isinstance(algorithm, PriorFittedSpec):
        return _prior_fitted(spec, signature, max_ways)
    if algorithm.further_inputs and isinstance(spec.network, EncoderSpec):
        raise ValueError(
            "this algorithm adds inputs of its own, and an encoder takes none; ridge or maml do without"
        )
    if task not in algorithm.tasks and not isinstance(algorithm, MamlPolicySpec):
        name, does = (
            type(algorithm).__struct_config__.tag,
            "predicts" if "regression" in algorithm.tasks else "classifies",
        )
        found = "numbers" if task == "regression" else "labels"
        raise ValueError(f"{name} {does}, and the targets are {found}; maml and ridge take them")
    inputs = network_inputs_of(spec, signature)
    taken = msgspec.structs.replace(signature, inputs=inputs)
    backbone = build_network(spec.network, taken, kernels, mean, encoder)
    regression = task == "regression"

    def headed() -> WithHead:
        outputs = signature.target_width if regression else max_ways
        if outputs is None:
            raise ValueError("this classifier has one output for each class slot, so it needs max_ways")
        return WithHead(backbone, outputs)

    match algorithm:
        case MamlSpec():
            return Maml(algorithm, task, headed())
        case AnilSpec():
            return Anil(algorithm, task, headed())
        case BoilSpec():
            return Boil(algorithm, task, headed())
        case ReptileSpec():
            return Reptile(algorithm, task, headed())
        case ImamlSpec():
            return Imaml(algorithm, task, headed())
        case CaviaSpec():
            return Cavia(algorithm, task, headed())
        case MetaCurvatureSpec():
            return MetaCurvature(algorithm, task, headed())
        case AutoSpec():
            return DefaultHead(backbone)
        case ProtoNetSpec():
            return ProtoNet(backbone)
        case MatchingNetSpec():
            return MatchingNet(algorithm, backbone)
        case LogisticSpec():
            return Logistic(algorithm, backbone)
        case SvmSpec():
            return Svm(algorithm, backbone)
        case CnpSpec():
            return Cnp(backbone, *_around(backbone, algorithm.representation, signature.target_width))
        case AnpSpec():
            around = _around(backbone, algorithm.representation, signature.target_width)
            return Anp(algorithm, backbone, *around)
        case RidgeSpec():
            if not regression:
                return RidgeClassifier(backbone)
            raw_inputs = signature.inputs.example_shape[0] if signature.input_kind == "vectors" else 0
            return BayesianRidge(algorithm, backbone, signature.target_width, raw_inputs)
        case MamlPolicySpec():
            raise ValueError("maml_policy learns policies, and these are no environments: use maml or ridge")


def build_any_learner(
    spec: LearnerSpec, signature: Signature, max_ways: int | None = None, kernels: Kernels = _PLAIN
) -> AnyLearner:
    """`build_learner`, or `build_policy_learner` where the signature is a policy's. Raises as they do."""
    if signature.actions is not None:
        return build_policy_learner(spec, signature)
    return build_learner(spec, signature, max_ways, kernels)


def build_policy_learner(spec: LearnerSpec, signature: Signature) -> MamlPolicy:
    """The learner of a policy that `spec` describes, for one signature; raises ValueError where they do not fit."""
    algorithm, space = spec.algorithm, signature.actions
    if space is None or not isinstance(algorithm, MamlPolicySpec):
        raise ValueError(f"{type(algorithm).__name__} learns no policy, or the tasks are no environments")
    backbone = build_network(spec.network, signature)
    policy: Policy
    if isinstance(space, BoxSpace):
        network = WithHead(backbone, space.width)
        policy = Gaussian(space, network, algorithm.initial_std, algorithm.min_std)
    else:
        policy = Categorical(WithHead(backbone, space.n))
    return MamlPolicy(algorithm, policy)


def _prior_fitted(spec: LearnerSpec, signature: Signature, max_ways: int | None) -> PriorFitted:
    if not isinstance(spec.network, TableTransformerSpec):
        raise ValueError("prior_fitted attends to a table's cells: its network is table_transformer")
    if signature.is_image:
        raise ValueError("prior_fitted takes tables, and the inputs are images")
    network = TableTransformer(spec.network)
    if signature.task == "classification":
        if max_ways is None:
            raise ValueError("prior_fitted has one output for each class slot, so it needs max_ways")
        return PriorFitted("classification", network, spec.network.rows, max_ways)
    if signature.target_width != 1:
        raise ValueError(
            f"prior_fitted predicts one number, and a target is {signature.target_width} of them"
        )
    return PriorFitted("regression", network, spec.network.rows, None)


def _around(backbone: Network, representation: int, targets: int) -> tuple[Network, Network]:
    """A neural process's encoder and decoder, of two hidden layers each."""
    wide = (representation, representation)
    encoder = Mlp(backbone.width + targets, (*wide, representation), name="encoder", linear_end=True)
    decoder = Mlp(backbone.width + representation, (*wide, 2 * targets), name="decoder", linear_end=True)
    return encoder, decoder


def build_family(spec: TaskFamilySpec, data: LabelledData | GroupedData | None = None) -> TaskFamily:
    """The family that `spec` describes; raises ValueError where the dataset is missing or cannot give it."""
    match spec:
        case SinusoidSpec():
            return Sinusoid(spec)
        case FunctionsSpec():
            return Functions(spec)
        case TablesSpec():
            return Tables(spec)
        case LabelledSpec():
            if not isinstance(data, LabelledData):
                raise ValueError("a labelled family needs its dataset")
            return Labelled(spec, data)
        case GroupedSpec() | SequencesSpec():
            if not isinstance(data, GroupedData):
                raise ValueError("grouped tasks need their dataset, with a task for every row")
            return Grouped(spec, data) if isinstance(spec, GroupedSpec) else Sequences(spec, data)
        case _:
            raise ValueError("environments are built by build_environments")


def build_environments(spec: EnvironmentSpec) -> EnvironmentFamily:
    """The family of environments that `spec` describes."""
    match spec:
        case NavigationSpec():
            return Navigation(spec)
        case BanditSpec():
            return Bandit(spec)
        case TabularMdpSpec():
            return TabularMdp(spec)
        case CheetahSpec():
            return HalfCheetah(spec)
        case SeasonsSpec():
            return Seasons(spec)


def check_params(learner: AnyLearner, meta_params: Params) -> None:
    """Raises ValueError unless names and shapes are those of the learner's own meta-parameters."""
    with _AtMost(_SLACK + sum(value.numel() for value in meta_params.values())):
        fresh = learner.init(torch.Generator())
    expected = {name: tuple(value.shape) for name, value in fresh.items()}
    given = {name: tuple(value.shape) for name, value in meta_params.items()}
    if expected == given:
        return
    wrong = sorted(name for name in expected | given if expected.get(name) != given.get(name))
    raise ValueError(f"the parameters are not those of this learner: {', '.join(wrong[:5])}")


class _AtMost(TorchFunctionMode):
    """Stops an `init` before it makes more than `numbers`: a file of a few bytes may describe terabytes."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self._left = numbers

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        arguments: tuple[Any, ...] = (),
        named: dict[str, Any] | None = None,
    ) -> Any:
        del types
        if function in _MAKERS:
            self._left -= math.prod(arguments[0] if isinstance(arguments[0], tuple) else arguments)
            if self._left < 0:
                raise ValueError("the learner has many more parameters than are given")
        return function(*arguments, **(named or {}))
