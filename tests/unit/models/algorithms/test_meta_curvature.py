"""Meta-curvature: it begins as MAML, and its matrices multiply a gradient along every axis."""

import torch

from models.algorithms.meta_curvature import curved
from models.spec import MamlSpec, MetaCurvatureSpec
from tests.unit.models.algorithms.finite_differences import padded_episode, small_learner


def test_it_begins_as_maml() -> None:
    ours = small_learner(MetaCurvatureSpec(inner_steps=2, inner_lr=0.1), "classification")
    maml = small_learner(MamlSpec(inner_steps=2, inner_lr=0.1), "classification")
    params = {name: value.double() for name, value in ours.init(torch.Generator().manual_seed(1)).items()}
    network = {name: params[name] for name in maml.init(torch.Generator())}
    support = padded_episode("classification").support
    expected = maml.adapt(network, support)
    adapted = ours.adapt(params, support)
    assert adapted.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(adapted[name], value)


def test_a_convolution_s_gradient_is_multiplied_along_outputs_inputs_and_kernel() -> None:
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(4, 3, 3, 3, generator=generator).double()
    matrices = [torch.randn(size, size, generator=generator).double() for size in (4, 3, 9)]
    params = {f"curvature.w.{axis}": matrix for axis, matrix in enumerate(matrices)}
    expected = torch.einsum("po,qi,lk,oik->pql", *matrices, gradient.flatten(2)).view(4, 3, 3, 3)
    torch.testing.assert_close(curved(params, "w", gradient), expected)
