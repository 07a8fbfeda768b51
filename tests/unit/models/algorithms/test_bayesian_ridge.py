"""Bayesian ridge on a network: numpy's closed form, what its std is worth, and the support it keeps to."""

import numpy as np
import pytest
import torch

from models.algorithms.bayesian_ridge import BayesianRidge
from models.episode import Episode, QuerySet, SupportSet
from models.networks.conv4 import Conv4
from models.networks.mlp import Mlp
from models.spec import RidgeSpec


def _support(x: torch.Tensor, y: torch.Tensor) -> SupportSet:
    return SupportSet(x, y, torch.ones(len(x)), torch.ones(0))


def test_the_mean_is_ridge_regression_on_bias_inputs_and_features() -> None:
    learner = BayesianRidge(RidgeSpec(), Mlp(2, (7,), "tanh"), targets=2, raw_inputs=2)
    generator = torch.Generator().manual_seed(0)
    params = learner.init(generator)
    x, y = torch.randn(12, 2, generator=generator), torch.randn(12, 2, generator=generator)
    queries = torch.randn(5, 2, generator=generator)
    adapted = learner.adapt(params, _support(x, y))
    assert {value.dtype for value in adapted.values()} == {torch.float32}

    def columns(examples: torch.Tensor) -> np.ndarray:
        features = learner.backbone(params, examples).numpy().astype(np.float64)
        return np.hstack([np.ones((len(features), 1)), examples.numpy(), features])

    phi = columns(x)
    penalty = np.diag(np.exp(-2 * params["prior.log_deviation"][0].numpy().astype(np.float64)))
    weights = np.linalg.solve(phi.T @ phi + penalty, phi.T @ y.numpy())
    answer = learner.predict(params, adapted, queries)
    np.testing.assert_allclose(answer["mean"].numpy(), columns(queries) @ weights, atol=1e-5)


def test_the_std_covers_new_observations_of_noisy_lines() -> None:
    """Trained on nothing, with a vague prior: coverage comes from the formulas alone."""
    learner = BayesianRidge(RidgeSpec(), Mlp(1, (4,)), targets=1, raw_inputs=1)
    generator = torch.Generator().manual_seed(1)
    params = learner.init(generator)
    params["prior.log_deviation"] = torch.tensor([[4.0, 4.0] + [-7.0] * 4])
    params["prior.shape"], params["prior.scale"] = torch.full((1,), -6.0), torch.full((1, 1), -6.0)
    for noise in (0.1, 2.0):
        inside = []
        for _ in range(150):
            slope, offset = torch.randn(2, generator=generator)
            x = torch.randn(60, 1, generator=generator) * 3
            y = slope * x + offset + noise * torch.randn(60, 1, generator=generator)
            adapted = learner.adapt(params, _support(x[:40], y[:40]))
            answer = learner.predict(params, adapted, x[40:])
            inside.append(((answer["mean"] - y[40:]).abs() <= 2 * answer["std"]).float().mean().item())
        assert 0.93 <= np.mean(inside) <= 0.975


def test_the_training_loss_is_the_density_that_is_served() -> None:
    """Meta-training predicts through S x S matrices where that is cheaper, serving always through the posterior."""
    learner = BayesianRidge(RidgeSpec(components=2), Mlp(1, (9,), "tanh"), targets=1, raw_inputs=1)
    generator = torch.Generator().manual_seed(2)
    params = learner.init(generator)
    for shots in (4, 25):
        x, y = torch.randn(shots + 6, 1, generator=generator), torch.randn(shots + 6, 1, generator=generator)
        support = _support(x[:shots], y[:shots])
        query = QuerySet(x[shots:], y[shots:], torch.tensor([1.0, 1, 1, 1, 0, 0]))
        loss, metrics = learner.meta_loss(params, Episode(support, query))
        mean = learner.predict(params, learner.adapt(params, support), query.inputs)["mean"]
        torch.testing.assert_close(metrics["loss"], (mean - query.targets)[:4].square().mean())
        far = query._replace(targets=query.targets + 50)
        assert learner.meta_loss(params, Episode(support, far))[0] > loss + 1


def test_images_leave_the_raw_inputs_out() -> None:
    learner = BayesianRidge(RidgeSpec(), Conv4((1, 16, 16), 8), targets=1, raw_inputs=0)
    params = learner.init(torch.Generator().manual_seed(0))
    x = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    adapted = learner.adapt(params, _support(x, torch.ones(3, 1)))
    assert adapted["mean"].shape == (1, 1 + 8, 1)
    assert learner.predict(params, adapted, x)["std"].shape == (3, 1)


def test_it_has_no_start() -> None:
    learner = BayesianRidge(RidgeSpec(), Mlp(1, (2,)), targets=1, raw_inputs=1)
    params = learner.init(torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="support set alone"):
        learner.adapt(params, _support(torch.ones(1, 1), torch.ones(1, 1)), start={})
