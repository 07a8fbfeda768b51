"""Signatures, learners and support sets that the tests of models share."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.algorithms.learner import MetaLearner
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
    "matchingnet": (MatchingNetSpec(max_support=10), CLASSIFICATION),
    "cnp": (CnpSpec(representation=8), REGRESSION),
    "anp": (AnpSpec(representation=8, heads=2, max_support=10), REGRESSION),
}

Draw = Callable[..., SupportSet]


# What wraps an algorithm, and its other network: each a learner of its own.
FURTHER: dict[str, LearnerSpec] = {
    "ensemble": LearnerSpec(algorithm=RidgeSpec(), network=SMALL, members=2),
    "normalised": LearnerSpec(
        algorithm=MamlSpec(inner_steps=2, inner_lr=0.05), network=SMALL, normalise=True
    ),
    "prior-fitted-rows": LearnerSpec(
        algorithm=PriorFittedSpec(), network=RowTransformerSpec(width=8, layers=2, heads=2, rows=16)
    ),
}


def network_of(algorithm: AlgorithmSpec) -> NetworkSpec:
    """A small network of the kind that an algorithm takes."""
    if isinstance(algorithm, PriorFittedSpec):
        return TableTransformerSpec(width=8, layers=2, heads=2, summaries=3, rows=16)
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
        spec = FURTHER[request.param]
        signature = REGRESSION if spec.normalise else CLASSIFICATION
    return build_learner(spec, signature, MAX_WAYS if signature.task == "classification" else None)


@pytest.fixture
def draw_support() -> Draw:
    """A function that draws one unpadded support set for a learner: `draw(learner, shots, ways, generator)`."""

    def draw(learner: MetaLearner, shots: int, ways: int, generator: torch.Generator) -> SupportSet:
        inputs = torch.randn(shots, D, generator=generator)
        if learner.task == "regression":
            targets = torch.randn(shots, T, generator=generator)
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
