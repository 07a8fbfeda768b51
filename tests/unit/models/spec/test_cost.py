"""The estimate of a network's cost agrees with the network."""

import math

import msgspec
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from models.algorithms.table_heads import HEADS
from models.build import build_learner, build_network
from models.networks.heads import WithHead
from models.networks.row_transformer import RowTransformer
from models.networks.table_transformer import TableTransformer
from models.spec import (
    Conv1dSpec,
    Conv4Spec,
    LearnerSpec,
    MetaCurvatureSpec,
    MlpSpec,
    NetworkSpec,
    ResNet12Spec,
    ResNetMapsSpec,
    RowTransformerSpec,
    SeriesTransformerSpec,
    Signature,
    TableTransformerSpec,
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
        (ResNet12Spec(width=0.25), (28, 28, 1)),
        (ResNet12Spec(width=0.125), (1, 5, 3)),
        (ResNetMapsSpec(width=16), (28, 27, 1)),
        (Conv1dSpec(hidden=16, blocks=3, kernel=7), (61, 40)),
        (SeriesTransformerSpec(hidden=16, layers=2, patch=5), (61, 40)),
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
    ("network", "example"),
    [
        (MlpSpec(hidden=(40, 30)), (7,)),
        (Conv4Spec(hidden=8), (16, 16, 3)),
        (ResNet12Spec(width=0.125), (8, 8, 3)),
        (ResNetMapsSpec(width=8), (8, 8, 3)),
        (Conv1dSpec(hidden=8, blocks=2), (9, 3)),
        (SeriesTransformerSpec(hidden=8), (9, 3)),
    ],
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


def test_a_table_transformers_weights_are_its_matrices() -> None:
    spec = TableTransformerSpec(width=32, layers=3, heads=2, summaries=5)
    params = TableTransformer(spec).init(torch.Generator())
    matrices = sum(
        value.numel() for name, value in params.items() if value.ndim == 2 and "y.query" not in name
    )
    cost = network_cost(spec, (7,))
    assert cost.weights == matrices
    assert cost.features == 32
    assert network_cost(spec, (14,)).multiply_adds > 1.8 * cost.multiply_adds


def test_a_row_transformers_weights_are_its_matrices() -> None:
    spec = RowTransformerSpec(width=32, layers=3, heads=2, rows=20)
    params = RowTransformer(spec, len(HEADS)).init(torch.Generator())
    cost = network_cost(spec, (7,))
    assert cost.weights == sum(value.numel() for value in params.values() if value.ndim == 2)
    assert cost.features == 32
    # Rows are held against kept rows, column by column.
    more = msgspec.structs.replace(spec, rows=80)
    assert network_cost(more, (7,)).widest == 4 * cost.widest
    assert network_cost(more, (7,)).multiply_adds > network_cost(spec, (28,)).multiply_adds


@pytest.mark.parametrize(
    ("network", "example"),
    [
        (MlpSpec(hidden=(40, 30)), (7,)),
        (Conv4Spec(hidden=16), (28, 28, 1)),
        (ResNet12Spec(width=0.25), (28, 28, 1)),
        (ResNetMapsSpec(width=16), (28, 27, 1)),
        (Conv1dSpec(hidden=16, blocks=3, kernel=7), (61, 40)),
        (SeriesTransformerSpec(hidden=16, layers=2, patch=5), (61, 40)),
    ],
)
def test_multiply_adds_are_those_that_torch_counts(network: NetworkSpec, example: tuple[int, ...]) -> None:
    signature = Signature(
        inputs=TensorSpec(datatype="FP32", shape=(-1, *example)),
        targets=TensorSpec(datatype="BYTES", shape=(-1,)),
    )
    built = build_network(network, signature)
    shape = (example[2], *example[:2]) if signature.is_image else example
    with FlopCounterMode(display=False) as counter:
        built(built.init(torch.Generator()), torch.zeros(1, *shape))
    assert network_cost(network, example).multiply_adds == counter.get_total_flops() // 2
