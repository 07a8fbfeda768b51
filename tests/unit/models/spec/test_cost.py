"""The estimate of a network's cost agrees with the network."""

import math

import pytest
import torch

from models.build import build_learner, build_network
from models.networks.heads import WithHead
from models.spec import (
    Conv4Spec,
    LearnerSpec,
    MetaCurvatureSpec,
    MlpSpec,
    NetworkSpec,
    Signature,
    TensorSpec,
    curvature_numbers,
    network_cost,
)


@pytest.mark.parametrize(
    ("network", "example"),
    [
        (MlpSpec(hidden=(40, 30)), (7,)),
        (Conv4Spec(hidden=16), (28, 28, 1)),
        (Conv4Spec(hidden=8), (84, 50, 3)),
    ],
)
def test_features_and_weights_are_those_of_the_network(
    network: NetworkSpec, example: tuple[int, ...]
) -> None:
    signature = Signature(
        inputs=TensorSpec(datatype="FP32", shape=(-1, *example)),
        targets=TensorSpec(datatype="BYTES", shape=(-1,)),
    )
    built = build_network(network, signature)
    weights = WithHead(built, 5).init(torch.Generator()).items()
    cost = network_cost(network, example, outputs=5)
    assert cost.features == built.width
    # Biases, scales and shifts do not count.
    assert cost.weights == sum(math.prod(value.shape) for name, value in weights if name.endswith("weight"))


def test_multiply_adds_are_those_of_the_layers() -> None:
    assert network_cost(MlpSpec(hidden=(40, 30)), (7,)).multiply_adds == 7 * 40 + 40 * 30
    assert network_cost(MlpSpec(hidden=(40,)), (7,), outputs=5).multiply_adds == 7 * 40 + 40 * 5
    blocks = 16 * 16 * 8 * 1 + (8 * 8 + 4 * 4 + 2 * 2) * 8 * 8
    assert network_cost(Conv4Spec(hidden=8), (16, 16, 1)).multiply_adds == 9 * blocks


def test_the_widest_layer_is_one_of_them() -> None:
    assert network_cost(MlpSpec(hidden=(40, 30)), (7,)).widest == 40
    assert network_cost(MlpSpec(hidden=(40, 30)), (700,)).widest == 700
    assert network_cost(Conv4Spec(hidden=8), (16, 16, 1)).widest == 8 * 16 * 16


@pytest.mark.parametrize(
    ("network", "example"), [(MlpSpec(hidden=(40, 30)), (7,)), (Conv4Spec(hidden=8), (16, 16, 3))]
)
def test_curvature_numbers_are_those_of_the_matrices(network: NetworkSpec, example: tuple[int, ...]) -> None:
    inputs = TensorSpec(datatype="FP32", shape=(-1, *example))
    signature = Signature(inputs=inputs, targets=TensorSpec(datatype="BYTES", shape=(-1,)))
    learner = build_learner(LearnerSpec(algorithm=MetaCurvatureSpec(), network=network), signature, 5)
    matrices = {
        name: value.numel()
        for name, value in learner.init(torch.Generator()).items()
        if name.startswith("curvature.backbone") or name == "curvature.head.weight.1"
    }
    assert curvature_numbers(network, example) == sum(matrices.values())
