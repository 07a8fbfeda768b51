"""The ridge classifier against the closed form in numpy, in both of its sizes."""

import numpy as np
import pytest
import torch

from models.algorithms.ridge_classifier import RidgeClassifier
from models.episode import SupportSet
from models.networks.mlp import Mlp


@pytest.mark.parametrize("shots", [4, 30])
def test_weights_are_the_closed_form(shots: int) -> None:
    learner = RidgeClassifier(Mlp(3, (9,), "tanh"))
    generator = torch.Generator().manual_seed(shots)
    params = learner.init(generator)
    params["ridge.log_penalty"] = torch.tensor(-1.0)
    inputs, queries = torch.randn(shots, 3, generator=generator), torch.randn(5, 3, generator=generator)
    targets = torch.randint(3, (shots,), generator=generator)
    mask = (torch.arange(shots) < shots - 1).float()
    support = SupportSet(inputs, targets, mask, torch.tensor([1.0, 1, 1, 0]))
    adapted = learner.adapt(params, support)

    def columns(examples: torch.Tensor) -> np.ndarray:
        features = learner.backbone(params, examples).numpy().astype(np.float64)
        return np.hstack([np.ones((len(features), 1)), features])

    seen, labels = columns(inputs)[:-1], np.eye(4)[targets.numpy()[:-1]]
    weights = np.linalg.solve(seen.T @ seen + np.exp(-1.0) * np.eye(10), seen.T @ labels)
    np.testing.assert_allclose(adapted["weights"].numpy(), weights, atol=1e-5)
    logits = learner.predict(params, adapted, queries)["logits"].numpy()
    np.testing.assert_allclose(logits[:, :3], np.e * (columns(queries) @ weights)[:, :3], atol=1e-5)
    assert np.isneginf(logits[:, 3]).all()


def test_it_has_no_start() -> None:
    learner = RidgeClassifier(Mlp(1, (2,)))
    support = SupportSet(torch.ones(1, 1), torch.zeros(1, dtype=torch.int64), torch.ones(1), torch.ones(2))
    with pytest.raises(ValueError, match="support set alone"):
        learner.adapt(learner.init(torch.Generator().manual_seed(0)), support, start={})
