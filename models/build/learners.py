"""From a learner's description to the learner, its members, views and turns: an explicit table."""

import msgspec
import torch
from torch import Tensor

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
from models.algorithms.local_matching import LocalMatching
from models.algorithms.logistic import Logistic
from models.algorithms.maml import Maml
from models.algorithms.matching_net import MatchingNet
from models.algorithms.meta_curvature import MetaCurvature
from models.algorithms.normalised import Normalised
from models.algorithms.prior_fitted import PriorFitted
from models.algorithms.prior_fitted_heads import PriorFittedHeads
from models.algorithms.protonet import ProtoNet
from models.algorithms.reptile import Reptile
from models.algorithms.ridge_classifier import RidgeClassifier
from models.algorithms.svm import Svm
from models.algorithms.table_heads import HEADS
from models.algorithms.turns import Turns
from models.algorithms.views import Views
from models.build.networks import build_network
from models.encoders.encoder import Encoder
from models.functional import Network
from models.networks.heads import WithHead
from models.networks.kernels import PLAIN, Kernels
from models.networks.mlp import Mlp
from models.networks.row_transformer import RowTransformer
from models.networks.table_transformer import TableTransformer
from models.spec import (
    AnilSpec,
    AnpSpec,
    AutoSpec,
    BoilSpec,
    CaviaSpec,
    CnpSpec,
    EncoderSpec,
    ImamlSpec,
    LearnerSpec,
    LocalMatchingSpec,
    LogisticSpec,
    MamlPolicySpec,
    MamlSpec,
    MatchingNetSpec,
    MetaCurvatureSpec,
    NetworkSpec,
    PriorFittedSpec,
    ProtoNetSpec,
    ReptileSpec,
    ResNetMapsSpec,
    RidgeSpec,
    RowTransformerSpec,
    Signature,
    SvmSpec,
    TableTransformerSpec,
    learned_signature,
    network_inputs_of,
)


def build_learner(
    spec: LearnerSpec,
    signature: Signature,
    max_ways: int | None = None,
    kernels: Kernels = PLAIN,
    mean: Tensor | None = None,
    encoder: Encoder | None = None,
) -> MetaLearner:
    """The learner that `spec` describes, with its members, views and turns, for one signature: the wire's, or what
    an encoder makes of that.

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
    if spec.turns > 1:
        if not signature.is_square_image:
            raise ValueError("only square images are turned")
        learner = Turns(learner, spec.turns)
    return learner


def _one_member(
    spec: LearnerSpec,
    signature: Signature,
    max_ways: int | None,
    kernels: Kernels,
    mean: Tensor | None,
    encoder: Encoder | None,
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
            return DefaultHead(backbone, named=signature.class_names)
        case ProtoNetSpec():
            return ProtoNet(backbone)
        case MatchingNetSpec():
            return MatchingNet(algorithm, backbone)
        case LocalMatchingSpec():
            grid = _grid(spec.network, inputs.example_shape)
            return LocalMatching(algorithm, backbone, grid, getattr(torch, kernels.backbone))
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


def _prior_fitted(
    spec: LearnerSpec, signature: Signature, max_ways: int | None
) -> PriorFitted | PriorFittedHeads:
    network = spec.network
    if not isinstance(network, TableTransformerSpec | RowTransformerSpec):
        raise ValueError(
            "prior_fitted attends to a table: its network is table_transformer, or row_transformer"
        )
    if signature.is_image:
        raise ValueError("prior_fitted takes tables, and the inputs are images")
    classifies = signature.task == "classification"
    if classifies and max_ways is None:
        raise ValueError("prior_fitted has one output for each class slot, so it needs max_ways")
    if not classifies and signature.target_width != 1:
        raise ValueError(
            f"prior_fitted predicts one number, and a target is {signature.target_width} of them"
        )
    task, ways = signature.task, max_ways if classifies else None
    if isinstance(network, RowTransformerSpec):
        return PriorFittedHeads(task, RowTransformer(network, len(HEADS)), network.rows, ways)
    return PriorFitted(task, TableTransformer(network), network.rows, ways)


def _grid(network: NetworkSpec, example_shape: tuple[int, ...]) -> tuple[int, int]:
    """The rows and columns of places that a network's features go through; a single one where it keeps none."""
    if not isinstance(network, ResNetMapsSpec):
        return (1, 1)
    height, width, _ = example_shape
    return network.grid(height, width)


def _around(backbone: Network, representation: int, targets: int) -> tuple[Network, Network]:
    """A neural process's encoder and decoder, of two hidden layers each."""
    wide = (representation, representation)
    encoder = Mlp(backbone.width + targets, (*wide, representation), name="encoder", linear_end=True)
    decoder = Mlp(backbone.width + representation, (*wide, 2 * targets), name="decoder", linear_end=True)
    return encoder, decoder
