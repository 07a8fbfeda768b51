"""Signatures, learners and support sets that the tests of models share."""

from collections.abc import Callable

import msgspec
import pytest
import torch
from torch import Tensor

from models.algorithms.learner import MetaLearner
from models.algorithms.prior_fitted import PriorFitted
from models.algorithms.prior_fitted_heads import PriorFittedHeads
from models.build import build_learner
from models.episode import SupportSet
from models.spec import (
    AlgorithmSpec,
    AnilSpec,
    AnpSpec,
    AutoSpec,
    BoilSpec,
    CaviaSpec,
    CnpSpec,
    ColumnSpec,
    ImamlSpec,
    LearnerSpec,
    LocalMatchingSpec,
    LogisticSpec,
    MamlSpec,
    MatchingNetSpec,
    MetaCurvatureSpec,
    MlpSpec,
    NetworkSpec,
    PriorFittedSpec,
    ProtoNetSpec,
    ReptileSpec,
    RidgeSpec,
    RowTransformerSpec,
    Signature,
    SvmSpec,
    TableTransformerSpec,
    TensorSpec,
)

D, T, MAX_WAYS = 3, 2, 6
SMALL = MlpSpec(hidden=(8, 8), activation="tanh")

REGRESSION = Signature(
    inputs=TensorSpec(datatype="FP32", shape=(-1, D)), targets=TensorSpec(datatype="FP32", shape=(-1, T))
)
CLASSIFICATION = Signature(
    inputs=TensorSpec(datatype="FP32", shape=(-1, D)), targets=TensorSpec(datatype="BYTES", shape=(-1,))
)

LEARNERS: dict[str, tuple[AlgorithmSpec, Signature]] = {
    "maml-regression": (MamlSpec(inner_steps=3, inner_lr=0.05), REGRESSION),
    "maml-first-order": (MamlSpec(inner_steps=2, inner_lr=0.05, first_order=True), REGRESSION),
    "maml-classification": (MamlSpec(inner_steps=3, inner_lr=0.1), CLASSIFICATION),
    "meta-sgd-regression": (
        MamlSpec(inner_steps=2, inner_lr=0.05, learned_rates="per_parameter"),
        REGRESSION,
    ),
    "maml++-classification": (
        MamlSpec(inner_steps=2, inner_lr=0.05, learned_rates="per_step", step_loss_decay=0.5),
        CLASSIFICATION,
    ),
    "anil-regression": (AnilSpec(inner_steps=2, inner_lr=0.05), REGRESSION),
    "anil-classification": (AnilSpec(inner_steps=2, inner_lr=0.1), CLASSIFICATION),
    "boil-regression": (BoilSpec(inner_steps=2, inner_lr=0.05), REGRESSION),
    "boil-classification": (BoilSpec(inner_steps=2, inner_lr=0.1), CLASSIFICATION),
    "reptile-regression": (ReptileSpec(inner_steps=2, inner_lr=0.05), REGRESSION),
    "reptile-classification": (ReptileSpec(inner_steps=2, inner_lr=0.1, inner_batches=3), CLASSIFICATION),
    "imaml-regression": (ImamlSpec(inner_steps=2, cg_steps=2), REGRESSION),
    "imaml-classification": (ImamlSpec(inner_steps=2, inner_lr=0.1, cg_steps=2), CLASSIFICATION),
    "cavia-regression": (CaviaSpec(inner_steps=2, inner_lr=0.5, context=4), REGRESSION),
    "cavia-classification": (CaviaSpec(inner_steps=2, inner_lr=0.5, context=4), CLASSIFICATION),
    "meta-curvature-regression": (MetaCurvatureSpec(inner_steps=2, inner_lr=0.05), REGRESSION),
    "meta-curvature-classification": (MetaCurvatureSpec(inner_steps=2, inner_lr=0.1), CLASSIFICATION),
    "prior-fitted-classification": (PriorFittedSpec(), CLASSIFICATION),
    "auto": (AutoSpec(), CLASSIFICATION),
    "protonet": (ProtoNetSpec(), CLASSIFICATION),
    "ridge-regression": (RidgeSpec(), REGRESSION),
    "ridge-mixture": (RidgeSpec(components=3), REGRESSION),
    "ridge-classification": (RidgeSpec(), CLASSIFICATION),
    "logistic": (LogisticSpec(), CLASSIFICATION),
    "svm": (SvmSpec(), CLASSIFICATION),
    "local-matching": (LocalMatchingSpec(width=4, max_support=10), CLASSIFICATION),
    "local-matching-rivals": (LocalMatchingSpec(width=4, max_support=10, rivals=0.5), CLASSIFICATION),
    "matchingnet": (MatchingNetSpec(max_support=10), CLASSIFICATION),
    "cnp": (CnpSpec(representation=8), REGRESSION),
    "anp": (AnpSpec(representation=8, heads=2, max_support=10), REGRESSION),
}

Draw = Callable[..., SupportSet]


NUMBER = Signature(inputs=REGRESSION.inputs, targets=TensorSpec(datatype="FP32", shape=(-1, 1)))
TABLE = msgspec.structs.replace(
    REGRESSION,
    columns=(ColumnSpec(mean=1.0, scale=2.0), ColumnSpec(categories=("x", "y")), ColumnSpec()),
    target_columns=(ColumnSpec(mean=-1.0, scale=3.0), ColumnSpec()),
)
MAML = MamlSpec(inner_steps=2, inner_lr=0.05)
CELLS = TableTransformerSpec(width=8, layers=2, heads=2, summaries=3, rows=16)
ROWS = RowTransformerSpec(width=8, layers=2, heads=2, rows=16)

# What wraps an algorithm, and its other networks and targets: each a learner of its own.
FURTHER: dict[str, tuple[LearnerSpec, Signature]] = {
    "ensemble": (LearnerSpec(algorithm=RidgeSpec(), network=SMALL, members=2), CLASSIFICATION),
    "ensemble-regression": (LearnerSpec(algorithm=RidgeSpec(), network=SMALL, members=2), REGRESSION),
    "normalised": (LearnerSpec(algorithm=MAML, network=SMALL, normalise=True), REGRESSION),
    "encoded": (LearnerSpec(algorithm=MAML, network=SMALL), TABLE),
    "prior-fitted-rows": (LearnerSpec(algorithm=PriorFittedSpec(), network=ROWS), CLASSIFICATION),
    "prior-fitted-rows-regression": (LearnerSpec(algorithm=PriorFittedSpec(), network=ROWS), NUMBER),
    "prior-fitted-regression": (LearnerSpec(algorithm=PriorFittedSpec(), network=CELLS), NUMBER),
}


def network_of(algorithm: AlgorithmSpec) -> NetworkSpec:
    """A small network of the kind that an algorithm takes."""
    if isinstance(algorithm, PriorFittedSpec):
        return CELLS
    return SMALL


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Small tensors on shared cores: more threads only wait for one another."""
    torch.set_num_threads(1)


@pytest.fixture(params=[*LEARNERS, *FURTHER])
def learner(request: pytest.FixtureRequest) -> MetaLearner:
    """Every algorithm in turn, on a small network, and what wraps one."""
    if request.param in LEARNERS:
        algorithm, signature = LEARNERS[request.param]
        spec = LearnerSpec(algorithm=algorithm, network=network_of(algorithm))
    else:
        spec, signature = FURTHER[request.param]
    return build_learner(spec, signature, MAX_WAYS if signature.task == "classification" else None)


@pytest.fixture
def draw_support() -> Draw:
    """A function that draws one unpadded support set for a learner: `draw(learner, shots, ways, generator)`."""

    def draw(learner: MetaLearner, shots: int, ways: int, generator: torch.Generator) -> SupportSet:
        inputs = torch.randn(shots, D, generator=generator)
        if learner.task == "regression":
            width = 1 if isinstance(learner, PriorFitted | PriorFittedHeads) else T
            targets = torch.randn(shots, width, generator=generator)
            return SupportSet(inputs, targets, torch.ones(shots), torch.ones(0))
        slots = torch.randint(ways, (shots,), generator=generator)
        return SupportSet(inputs, slots, torch.ones(shots), torch.ones(ways))

    return draw


@pytest.fixture
def pad() -> Callable[[SupportSet, int, int], SupportSet]:
    """A function that pads a support set to a number of examples and of class slots, with loud padding."""

    def grow(tensor: Tensor, size: int, value: float) -> Tensor:
        missing = torch.full((size - len(tensor), *tensor.shape[1:]), value, dtype=tensor.dtype)
        return torch.cat([tensor, missing])

    def padded(support: SupportSet, shots: int, ways: int) -> SupportSet:
        return SupportSet(
            grow(support.inputs, shots, 7.0),
            grow(support.targets, shots, 0),
            grow(support.mask, shots, 0),
            grow(support.class_mask, ways, 0) if len(support.class_mask) else support.class_mask,
        )

    return padded
