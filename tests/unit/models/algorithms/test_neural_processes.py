"""Neural processes: what they keep of a support set, what a query attends to, and that they learn."""

import pytest
import torch

from models.algorithms.anp import Anp
from models.algorithms.neural_process import NeuralProcess
from models.build import build_learner
from models.episode import Episode, QuerySet, SupportSet
from models.spec import AlgorithmSpec, AnpSpec, CnpSpec, LearnerSpec, MlpSpec
from tests.unit.models.algorithms.finite_differences import (
    finite_differences,
    meta_gradient,
    relative_difference,
)
from tests.unit.models.conftest import REGRESSION

CNP, ANP = CnpSpec(representation=16), AnpSpec(representation=16, heads=2, max_support=12)
BOTH = pytest.mark.parametrize("algorithm", [CNP, ANP], ids=["cnp", "anp"])


def learner(algorithm: AlgorithmSpec) -> NeuralProcess:
    built = build_learner(LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(12,))), REGRESSION)
    assert isinstance(built, NeuralProcess)
    return built


def support(examples: int, seed: int = 0) -> SupportSet:
    generator = torch.Generator().manual_seed(seed)
    inputs, targets = (torch.randn(examples, width, generator=generator) for width in (3, 2))
    return SupportSet(inputs, targets, torch.ones(examples), torch.ones(0))


@BOTH
def test_the_order_of_examples_does_not_matter(algorithm: AlgorithmSpec) -> None:
    process, seen = learner(algorithm), support(7)
    params = process.init(torch.Generator().manual_seed(0))
    turned = SupportSet(*(part.flip(0) for part in seen[:3]), seen.class_mask)
    queries = support(4, seed=1).inputs
    first, second = (process.predict(params, process.adapt(params, s), queries) for s in (seen, turned))
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, atol=1e-5, rtol=1e-5)
        assert value.shape == (4, 2)
    assert (first["std"] > 0).all()


@BOTH
def test_no_example_at_all_is_a_support_set(algorithm: AlgorithmSpec) -> None:
    process, none = learner(algorithm), support(3)._replace(mask=torch.zeros(3))
    params = process.init(torch.Generator().manual_seed(0))
    empty = SupportSet(*(part[:0] for part in none[:3]), none.class_mask)
    padded, bare = process.adapt(params, none), process.adapt(params, empty)
    for name, value in padded.items():
        torch.testing.assert_close(bare[name], value)
    outputs = process.predict(params, padded, none.inputs)
    assert outputs["mean"].isfinite().all()


def test_what_is_kept_is_as_large_for_any_support_set() -> None:
    for algorithm, shapes in (
        (CNP, {"representation": (16,)}),
        (ANP, {"keys": (12, 16), "values": (12, 16), "used": (12,)}),
    ):
        process = learner(algorithm)
        params = process.init(torch.Generator().manual_seed(0))
        for examples in (1, 5, 12):
            adapted = process.adapt(params, support(examples))
            assert {name: value.shape for name, value in adapted.items()} == shapes


def test_a_query_attends_to_the_example_whose_key_it_meets() -> None:
    process, seen = learner(ANP), support(5)
    assert isinstance(process, Anp)
    params = process.init(torch.Generator().manual_seed(0))
    params["attention.query"] = 4000 * params["attention.key"]
    adapted = process.adapt(params, seen)
    features = process.backbone(params, seen.inputs)
    adapted["keys"] = torch.nn.functional.normalize(adapted["keys"].view(12, 2, 8), dim=-1).view(12, 16)
    told = process.told(params, adapted, features)
    expected = adapted["values"][:5] @ params["attention.output"].T
    torch.testing.assert_close(told, expected, atol=1e-4, rtol=1e-4)


@BOTH
def test_the_meta_loss_is_the_normal_density_of_the_query(algorithm: AlgorithmSpec) -> None:
    process, seen, asked = learner(algorithm), support(6), support(5, seed=1)
    params = process.init(torch.Generator().manual_seed(0))
    query = QuerySet(asked.inputs, asked.targets, torch.tensor([1.0, 1, 1, 1, 0]))
    loss, metrics = process.meta_loss(params, Episode(seen, query))
    outputs = process.predict(params, process.adapt(params, seen), asked.inputs[:4])
    density = torch.distributions.Normal(outputs["mean"], outputs["std"]).log_prob(asked.targets[:4])
    torch.testing.assert_close(loss, -density.sum(-1).mean())
    torch.testing.assert_close(metrics["loss"], (outputs["mean"] - asked.targets[:4]).square().mean())


@BOTH
def test_a_meta_gradient_is_that_of_finite_differences(algorithm: AlgorithmSpec) -> None:
    process, seen, asked = learner(algorithm), support(6), support(5, seed=1)
    params = {name: value.double() for name, value in process.init(torch.Generator().manual_seed(0)).items()}
    # Smooth, so that differences are gradients.
    for network in (process.backbone, process.encoder, process.decoder):
        network.activation = torch.tanh  # type: ignore[attr-defined]
    episode = Episode(
        SupportSet(*(part.double() for part in seen)),
        QuerySet(asked.inputs.double(), asked.targets.double(), asked.mask.double()),
    )
    expected = finite_differences(lambda moved: process.meta_loss(moved, episode)[0], params)
    assert relative_difference(meta_gradient(process, params, episode), expected) < 1e-6


@BOTH
def test_it_learns_what_a_support_set_says(algorithm: AlgorithmSpec) -> None:
    """Tasks are constants: what is answered far from the examples is their constant, and surely."""
    process = learner(algorithm)
    generator = torch.Generator().manual_seed(0)
    params = process.init(generator)
    optimizer = torch.optim.Adam([value.requires_grad_() for value in params.values()], lr=1e-2)
    gap = 1.0
    for _ in range(150):
        inputs = torch.randn(16, 10, 3, generator=generator)
        targets = torch.randn(16, 1, 2, generator=generator).expand(16, 10, 2)
        ones = torch.ones(16, 10)
        support_M = SupportSet(inputs[:, :5], targets[:, :5], ones[:, :5], torch.ones(16, 0))
        query_M = QuerySet(inputs[:, 5:], targets[:, 5:], ones[:, 5:])
        losses, metrics = torch.vmap(process.meta_loss, in_dims=(None, 0))(
            params, Episode(support_M, query_M)
        )
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
        gap = float(metrics["loss"].mean())
    assert gap < 0.1


@BOTH
def test_it_has_no_start(algorithm: AlgorithmSpec) -> None:
    process = learner(algorithm)
    with pytest.raises(ValueError, match="support set alone"):
        process.adapt(process.init(torch.Generator().manual_seed(0)), support(2), start={})
