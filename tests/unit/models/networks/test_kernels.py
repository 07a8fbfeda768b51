"""Kernels: one function, computed in several ways."""

import pytest
import torch

from models.build import build_learner
from models.episode import Episode, QuerySet, SupportSet
from models.networks.kernels import Kernels, by_library, by_patches
from models.spec import (
    Conv4Spec,
    LearnerSpec,
    MamlSpec,
    NetworkSpec,
    ProtoNetSpec,
    ResNetMapsSpec,
    Signature,
    TensorSpec,
)

PICTURES = Signature(
    inputs=TensorSpec(datatype="FP32", shape=(-1, 16, 16, 2)),
    targets=TensorSpec(datatype="BYTES", shape=(-1,)),
)


def _drawn(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(len(shape)))


@pytest.mark.parametrize("shape", [(3, 2, 7, 5), (1, 8, 1, 1)])
def test_patches_are_the_librarys_convolution(shape: tuple[int, ...]) -> None:
    maps, weight = _drawn(*shape), _drawn(4, shape[1], 3, 3) - 0.5
    torch.testing.assert_close(by_patches(maps, weight), by_library(maps, weight), rtol=1e-5, atol=1e-5)


def test_so_are_their_second_derivatives_for_every_task_in_one_pass() -> None:
    spec = LearnerSpec(algorithm=MamlSpec(inner_steps=1, inner_lr=0.1), network=Conv4Spec(hidden=8))
    inputs, slots = _drawn(3, 4, 2, 16, 16), torch.arange(4).repeat(3, 1) % 2
    ones = torch.ones(3, 4)
    batch = Episode(
        SupportSet(inputs, slots, ones, torch.ones(3, 2)), QuerySet(inputs.flip(1), slots.flip(1), ones)
    )
    gradients = []
    for convolution in ("library", "patches"):
        learner = build_learner(spec, PICTURES, 2, Kernels(convolution=convolution))
        params = learner.init(torch.Generator().manual_seed(0))
        losses = torch.func.grad(
            lambda given, one=learner: torch.vmap(one.meta_loss, (None, 0))(given, batch)[0].mean()
        )
        gradients.append(losses(params))
    for name, value in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("network", [Conv4Spec(hidden=8), ResNetMapsSpec(width=8)])
def test_a_bfloat16_backbone_gives_float32_features_near_by_and_leaves_the_rest_alone(
    network: NetworkSpec,
) -> None:
    spec = LearnerSpec(algorithm=ProtoNetSpec(), network=network)
    exact, rounded = (
        build_learner(spec, PICTURES, None, Kernels(backbone=kind)) for kind in ("float32", "bfloat16")
    )
    params = exact.init(torch.Generator().manual_seed(0))
    assert params.keys() == rounded.init(torch.Generator().manual_seed(0)).keys()
    support = SupportSet(_drawn(4, 2, 16, 16), torch.arange(4) % 2, torch.ones(4), torch.ones(2))
    first, second = exact.adapt(params, support)["prototypes"], rounded.adapt(params, support)["prototypes"]
    assert second.dtype == torch.float32
    assert not torch.equal(first, second)
    assert ((first - second).norm() / first.norm()).item() < 0.02
