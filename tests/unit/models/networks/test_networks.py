"""Backbones as pure functions: shapes, repeatable starts, rows that do not see one another, vmap both ways."""

import pytest
import torch
from torch import Tensor

from models.functional import Network
from models.networks.conv1d import Conv1d
from models.networks.conv4 import Conv4
from models.networks.heads import WithHead
from models.networks.mlp import Mlp
from models.networks.resnet12 import ResNet12
from models.networks.resnet_maps import ResNetMaps
from models.networks.series_transformer import SeriesTransformer

NETWORKS: dict[str, tuple[Network, tuple[int, ...]]] = {
    "mlp": (Mlp(3, (7, 5)), (3,)),
    "one hidden layer": (Mlp(3, (10,), "gelu"), (3,)),
    "conv4": (Conv4((1, 16, 20), hidden=8), (1, 16, 20)),
    "resnet12": (ResNet12(3, (8, 8, 8, 16)), (3, 9, 12)),
    "resnet12 of one pixel": (ResNet12(1, (8, 8, 8, 8)), (1, 1, 1)),
    "resnet maps": (ResNetMaps((3, 9, 12), 8, (3, 3)), (3, 9, 12)),
    "resnet maps of one pixel": (ResNetMaps((1, 1, 1), 8, (1, 1)), (1, 1, 1)),
    "resnet maps, centred": (ResNetMaps((3, 9, 12), 8, (3, 3), is_centred=True), (3, 9, 12)),
    "conv1d": (Conv1d(3, hidden=8, blocks=3), (11, 3)),
    "conv1d of one step": (Conv1d(2, hidden=8), (1, 2)),
    "series transformer": (SeriesTransformer((11, 3), hidden=8), (11, 3)),
    "with head": (WithHead(Mlp(3, (7,), "tanh"), 4), (3,)),
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return NETWORKS[request.param][0]


@pytest.fixture
def inputs(request: pytest.FixtureRequest, network: Network) -> Tensor:
    shape = next(shape for known, shape in NETWORKS.values() if known is network)
    return torch.randn(6, *shape, generator=torch.Generator().manual_seed(1))


def test_width_and_repeatable_start(network: Network, inputs: Tensor) -> None:
    first, second = (network.init(torch.Generator().manual_seed(4)) for _ in range(2))
    assert network(first, inputs).shape == (6, network.width)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(value.dtype == torch.float32 for value in first.values())


def test_a_row_does_not_see_the_others(network: Network, inputs: Tensor) -> None:
    params = network.init(torch.Generator().manual_seed(0))
    alone = torch.cat([network(params, row.unsqueeze(0)) for row in inputs])
    torch.testing.assert_close(network(params, inputs), alone, rtol=1e-5, atol=1e-5)
    loud = inputs.clone()
    loud[1:] *= 100
    torch.testing.assert_close(network(params, loud)[0], alone[0], rtol=1e-5, atol=1e-5)


def test_vmap_over_parameters_and_examples(network: Network, inputs: Tensor) -> None:
    sets = [network.init(torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    stacked = {name: torch.stack([params[name] for params in sets]) for name in sets[0]}
    inputs_M = inputs.reshape(2, 3, *inputs.shape[1:])
    one_by_one = torch.stack([network(params, part) for params, part in zip(sets, inputs_M, strict=True)])
    torch.testing.assert_close(torch.vmap(network)(stacked, inputs_M), one_by_one, rtol=1e-5, atol=1e-5)
    shared = torch.vmap(network, in_dims=(None, 0))(sets[0], inputs_M)
    expected = network(sets[0], inputs).reshape(shared.shape)
    torch.testing.assert_close(shared, expected, rtol=1e-5, atol=1e-5)


def test_conv4_refuses_images_that_cannot_be_halved_four_times() -> None:
    with pytest.raises(ValueError, match="at least 16x16 pixels, not 15x28"):
        Conv4((1, 15, 28))


def test_conv4_features_of_an_omniglot_image() -> None:
    assert Conv4((1, 28, 28), hidden=64).width == 64


@pytest.mark.parametrize("name", ["resnet12", "resnet maps", "conv1d", "series transformer"])
def test_second_derivatives_are_those_of_differences(name: str) -> None:
    """What MAML needs of a network, in float64: the derivative of a directional derivative."""
    network, shape = NETWORKS[name]
    generator = torch.Generator().manual_seed(0)
    params = {key: value.double() for key, value in network.init(generator).items()}
    inputs = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    towards = {key: torch.randn(value.shape, generator=generator).double() for key, value in params.items()}

    def slope(at: dict[str, Tensor]) -> Tensor:
        gradients = torch.func.grad(lambda given: network(given, inputs).square().sum())(at)
        return torch.stack([(gradients[key] * towards[key]).sum() for key in at]).sum()

    second = torch.func.grad(slope)(params)
    step = 1e-6
    ahead, behind = (
        slope({key: value + sign * step * towards[key] for key, value in params.items()}) for sign in (1, -1)
    )
    found = sum((second[key] * towards[key]).sum() for key in params)
    torch.testing.assert_close(found, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-5)
