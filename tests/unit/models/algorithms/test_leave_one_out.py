"""The closed forms against scikit-learn, and what is left out against leaving it out."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from models.algorithms.leave_one_out import calibrate, prototype_head, ridge_head

PENALTIES = torch.tensor([0.1, 1.0, 10.0, 100.0], dtype=torch.float64)


def drawn(examples: int, columns: int, ways: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features [S, F] about a centre for each class, and one-hot labels, at least three of each class."""
    generator = torch.Generator().manual_seed(seed)
    slots = torch.arange(examples) % ways
    centres = torch.randn(ways, columns, generator=generator, dtype=torch.float64)
    noise = torch.randn(examples, columns, generator=generator, dtype=torch.float64)
    return centres[slots] + noise, one_hot(slots, ways).double()


@pytest.mark.parametrize(("examples", "columns"), [(20, 50), (60, 10)])
def test_ridge_and_its_penalty_are_those_of_scikit_learn(examples: int, columns: int) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, labels = drawn(examples, columns)
    theirs = linear_model.RidgeCV(alphas=PENALTIES.numpy(), store_cv_results=True)
    theirs.fit(features.numpy(), labels.numpy())
    ours = ridge_head(features, labels, PENALTIES)
    torch.testing.assert_close(ours.weights[1:].T, torch.from_numpy(theirs.coef_), rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.weights[0], torch.from_numpy(theirs.intercept_), rtol=0, atol=1e-5)
    for place, penalty in enumerate(PENALTIES):
        errors = (ridge_head(features, labels, penalty.unsqueeze(0)).left_out - labels).square()
        expected = torch.from_numpy(theirs.cv_results_[:, :, place])
        torch.testing.assert_close(errors, expected, rtol=0, atol=1e-5)


def test_class_means_are_those_of_scikit_learn() -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    features, labels = drawn(20, 8)
    queries, _ = drawn(50, 8, seed=1)
    theirs = neighbors.NearestCentroid().fit(features.numpy(), labels.argmax(-1).numpy())
    weights = prototype_head(features, labels).weights
    means = torch.from_numpy(theirs.centroids_)
    torch.testing.assert_close(weights[1:].T / 2, means, rtol=0, atol=1e-5)
    found = (weights[0] + queries @ weights[1:]).argmax(-1)
    assert found.tolist() == theirs.predict(queries.numpy()).tolist()


def test_class_means_without_an_example_are_those_of_the_others() -> None:
    features, labels = drawn(12, 5)
    head = prototype_head(features, labels)
    for place in range(12):
        others = torch.arange(12) != place
        weights = prototype_head(features[others], labels[others]).weights
        expected = weights[0] + features[place] @ weights[1:]
        torch.testing.assert_close(head.left_out[place], expected, rtol=0, atol=1e-9)


def test_padding_changes_nothing() -> None:
    features, labels = drawn(14, 9)
    more = torch.cat([features, torch.randn(6, 9, dtype=torch.float64)])
    padded = torch.cat([labels, torch.zeros(6, 4, dtype=torch.float64)])
    for head in (prototype_head, lambda x, y: ridge_head(x, y, PENALTIES)):
        torch.testing.assert_close(
            head(more, padded).weights, head(features, labels).weights, rtol=0, atol=1e-9
        )


def test_single_examples_leave_the_scale_where_meta_training_put_it() -> None:
    features, labels = drawn(4, 6)
    prior = torch.tensor(1.5, dtype=torch.float64)
    scale, likelihood = calibrate(prototype_head(features, labels), labels, torch.ones(4), prior, 0.5)
    torch.testing.assert_close(scale, prior.exp())
    assert float(likelihood) == 0.0


def test_answers_that_are_wrong_when_left_out_are_made_less_sure() -> None:
    features, labels = drawn(40, 6)
    prior = torch.tensor(0.0, dtype=torch.float64)
    sure, _ = calibrate(prototype_head(features / 3, labels), labels, torch.ones(4), prior, 0.5)
    shuffled = labels[torch.randperm(40, generator=torch.Generator().manual_seed(0))]
    unsure, _ = calibrate(prototype_head(features / 3, shuffled), shuffled, torch.ones(4), prior, 0.5)
    assert unsure < sure
