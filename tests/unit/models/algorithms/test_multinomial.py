"""Multinomial logistic regression: scikit-learn's optimum, its gradient, and what it says of what it left out."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from models.algorithms import multinomial
from models.algorithms.leave_one_out import LinearHead
from models.algorithms.multinomial import logistic_heads
from tests.unit.models.algorithms.test_leave_one_out import drawn

PENALTIES = torch.tensor([0.02, 0.3, 3.0], dtype=torch.float64)


def heads_of(features: Tensor, labels: Tensor, penalties: Tensor = PENALTIES) -> list[LinearHead]:
    return logistic_heads(features, labels, torch.ones(labels.shape[-1]), penalties)


def weights_of(features: Tensor, labels: Tensor, penalties: Tensor = PENALTIES) -> Tensor:
    """[G, F + 1, N]"""
    return torch.stack([head.weights for head in heads_of(features, labels, penalties)])


def scaled(examples: int, columns: int, ways: int) -> tuple[Tensor, Tensor]:
    """Features of length one, as an encoder's are."""
    features, labels = drawn(examples, columns, ways)
    return torch.nn.functional.normalize(features, dim=-1), labels


@pytest.mark.parametrize(("examples", "columns", "ways"), [(12, 40, 4), (60, 10, 3), (40, 384, 8)])
def test_it_is_scikit_learn_s(examples: int, columns: int, ways: int) -> None:
    features, labels = scaled(examples, columns, ways)
    for head, penalty in zip(heads_of(features, labels), PENALTIES.tolist(), strict=True):
        theirs = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=5000)
        theirs.fit(features.numpy(), labels.argmax(-1).numpy())
        np.testing.assert_allclose(head.weights[1:].T, theirs.coef_, rtol=0, atol=1e-5)
        ours = torch.softmax(head.weights[0] + features @ head.weights[1:], -1)
        np.testing.assert_allclose(ours, theirs.predict_proba(features.numpy()), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("examples", "columns"), [(16, 30), (60, 10)])
def test_what_is_left_out_is_nearly_what_leaving_it_out_gives(examples: int, columns: int) -> None:
    features, labels = scaled(examples, columns, 4)
    places = torch.arange(examples)
    for head, penalty in zip(heads_of(features, labels), PENALTIES, strict=True):
        exact = torch.stack(
            [
                without.weights[0] + features[place] @ without.weights[1:]
                for place in places.tolist()
                for without in heads_of(
                    features[places != place], labels[places != place], penalty.unsqueeze(0)
                )
            ]
        )
        fitted = head.weights[0] + features @ head.weights[1:]

        def likelihood(scores: Tensor) -> float:
            return float((torch.log_softmax(scores, -1) * labels).sum(-1).mean())

        told, true, seen = likelihood(head.left_out), likelihood(exact), likelihood(fitted)
        assert abs(told - true) < 0.3 * (seen - true)
        assert head.known.tolist() == [1.0] * examples


def test_padding_and_unused_classes_change_nothing() -> None:
    features, labels = scaled(14, 9, 4)
    more = torch.cat([features, torch.full((6, 9), 7.0, dtype=torch.float64)])
    padded = torch.nn.functional.pad(labels, (0, 2, 0, 6))
    mask = torch.tensor([1.0] * 4 + [0.0] * 2)
    for ours, alone in zip(
        logistic_heads(more, padded, mask, PENALTIES), heads_of(features, labels), strict=True
    ):
        torch.testing.assert_close(ours.weights[:, :4], alone.weights, rtol=0, atol=1e-7)
        torch.testing.assert_close(ours.left_out[:14, :4], alone.left_out, rtol=0, atol=1e-7)
        assert not ours.weights[:, 4:].any()


@pytest.mark.parametrize(("examples", "columns"), [(6, 8), (12, 3)])
def test_the_gradient_is_that_of_differences(
    examples: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To the last digit: it is the optimum's gradient, and a difference of two fits sees how far they are from it.
    monkeypatch.setattr(multinomial, "FIT_STEPS", (20,) * 10)
    features, labels = scaled(examples, columns, 3)
    strong = PENALTIES[1:]
    generator = torch.Generator().manual_seed(1)
    counted = torch.randn(2, columns + 1, 3, generator=generator, dtype=torch.float64)
    way = torch.randn(examples, columns, generator=generator, dtype=torch.float64)

    def total(features: Tensor, penalties: Tensor) -> Tensor:
        return (counted * weights_of(features, labels, penalties)).sum()

    def difference(step: float) -> Tensor:
        there, back = (total(features + one * way, strong * (1 + one)) for one in (step, -step))
        return (there - back) / (2 * step)

    by_features, by_penalties = torch.func.grad(total, argnums=(0, 1))(features, strong)
    along = (by_features * way).sum() + (by_penalties * strong).sum()
    torch.testing.assert_close(along, difference(1e-5), rtol=1e-6, atol=0)


def test_many_tasks_share_a_pass_that_can_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multinomial, "FIT_STEPS", (3, 3))
    tasks = [drawn(12, 5, 3, seed) for seed in range(2)]
    features, labels = (torch.stack(parts) for parts in zip(*tasks, strict=True))

    def loss(features: Tensor) -> Tensor:
        return torch.vmap(weights_of, in_dims=(0, 0))(features, labels).square().sum()

    gradient = torch.func.grad(loss)
    for together, (one, its) in zip(torch.vmap(weights_of)(features, labels), tasks, strict=True):
        torch.testing.assert_close(together, weights_of(one, its), rtol=0, atol=1e-9)
    assert torch.equal(make_fx(gradient)(features)(features), gradient(features))
    assert gradient(features).abs().sum() > 0


@pytest.mark.parametrize("scale", [1e-3, 30.0])
def test_features_of_any_size_are_fitted(scale: float) -> None:
    features, labels = drawn(30, 6)
    heads = heads_of(scale * features, labels)
    for head in heads:
        assert head.weights.isfinite().all()
        assert head.left_out.isfinite().all()
    fitted = heads[0].weights[0] + scale * features @ heads[0].weights[1:]
    assert (torch.log_softmax(fitted, -1) * labels).sum(-1).mean() > -1.4


def test_equal_seeds_give_equal_bytes() -> None:
    features, labels = drawn(30, 6)
    assert torch.equal(weights_of(features, labels), weights_of(features, labels))
