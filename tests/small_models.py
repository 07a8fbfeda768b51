"""Small untrained models as artifacts: enough to adapt and predict with, made in milliseconds."""

import torch

from models.build import build_any_learner
from models.spec import (
    AlgorithmSpec,
    AnilSpec,
    AnpSpec,
    BoxSpace,
    CaviaSpec,
    CnpSpec,
    ColumnSpec,
    Conv4Spec,
    DiscreteSpace,
    LearnerSpec,
    LogisticSpec,
    MamlPolicySpec,
    MamlSpec,
    MatchingNetSpec,
    MlpSpec,
    NetworkSpec,
    PriorFittedSpec,
    ProtoNetSpec,
    RidgeSpec,
    RowTransformerSpec,
    Signature,
    SvmSpec,
    TensorSpec,
)
from services.storage.manifest import Manifest, encode_artifact

LINE = Signature(
    inputs=TensorSpec(datatype="FP32", shape=(-1, 1)), targets=TensorSpec(datatype="FP32", shape=(-1, 1))
)
ANSWERS = Signature(
    inputs=TensorSpec(datatype="FP32", shape=(-1, 2)),
    targets=TensorSpec(datatype="BYTES", shape=(-1,)),
    columns=(ColumnSpec(name="skill", categories=("add", "take")), ColumnSpec(name="place", mean=3, scale=2)),
    classes=("0", "1"),
)
LABELS = TensorSpec(datatype="BYTES", shape=(-1,))
POINTS = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 3)), targets=LABELS)
STEERING = Signature.of_policy(2, BoxSpace(shape=(2,), low=-0.1, high=0.1))
CHOOSING = Signature.of_policy(3, DiscreteSpace(n=4))
PICTURES = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 16, 16, 1)), targets=LABELS)


def artifact(
    algorithm: AlgorithmSpec,
    signature: Signature,
    network: NetworkSpec | None = None,
    max_ways: int | None = None,
    seed: int = 0,
) -> bytes:
    """A model version's file: the learner as it is before meta-training."""
    network = network or (Conv4Spec(hidden=8) if signature.is_image else MlpSpec(hidden=(8,)))
    learner = LearnerSpec(algorithm=algorithm, network=network)
    params = build_any_learner(learner, signature, max_ways).init(torch.Generator().manual_seed(seed))
    manifest = Manifest(learner=learner, signature=signature, max_ways=max_ways)
    return encode_artifact({name: value.numpy() for name, value in params.items()}, manifest)


def regression_maml(inner_steps: int = 1, inner_lr: float = 0.01) -> bytes:
    return artifact(MamlSpec(inner_steps=inner_steps, inner_lr=inner_lr), LINE)


def regression_ridge() -> bytes:
    return artifact(RidgeSpec(), LINE)


def answers_maml() -> bytes:
    """Of tasks that all have the classes 0 and 1, by a skill and a place."""
    return artifact(MamlSpec(inner_steps=2), ANSWERS, max_ways=2)


def points_maml(max_ways: int = 6) -> bytes:
    return artifact(MamlSpec(inner_steps=2), POINTS, max_ways=max_ways)


def points_protonet() -> bytes:
    return artifact(ProtoNetSpec(), POINTS)


def points_ridge() -> bytes:
    return artifact(RidgeSpec(), POINTS)


def table_heads(targets: TensorSpec = LABELS) -> bytes:
    """For tables of up to four columns."""
    signature = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 4)), targets=targets)
    network = RowTransformerSpec(width=8, layers=1, heads=2, rows=8)
    return artifact(
        PriorFittedSpec(), signature, network, max_ways=5 if signature.task == "classification" else None
    )


def points_anil(max_ways: int = 6) -> bytes:
    return artifact(AnilSpec(inner_steps=2), POINTS, max_ways=max_ways)


def regression_cavia() -> bytes:
    return artifact(CaviaSpec(inner_steps=2, inner_lr=0.1), LINE)


def points_logistic() -> bytes:
    return artifact(LogisticSpec(), POINTS)


def points_svm() -> bytes:
    return artifact(SvmSpec(), POINTS)


def points_matchingnet(max_support: int = 16) -> bytes:
    return artifact(MatchingNetSpec(max_support=max_support), POINTS)


def regression_cnp() -> bytes:
    return artifact(CnpSpec(representation=8), LINE)


def regression_anp(max_support: int = 16) -> bytes:
    return artifact(AnpSpec(representation=8, heads=2, max_support=max_support), LINE)


def pictures_protonet() -> bytes:
    return artifact(ProtoNetSpec(), PICTURES)


def steering_policy(seed: int = 0) -> bytes:
    return artifact(MamlPolicySpec(), STEERING, seed=seed)


def choosing_policy() -> bytes:
    return artifact(MamlPolicySpec(), CHOOSING)
