"""A learner in units of the support set: the same task in any unit has the same answer in that unit."""

import pytest
import torch

from models.algorithms.batched import adapt_batch, predict_batch
from models.build import build_learner
from models.episode import Episode, QuerySet, SupportSet
from models.spec import LearnerSpec, MamlSpec, MlpSpec, RidgeSpec, SinusoidSpec, signature_of

SIGNATURE = signature_of(SinusoidSpec())
X = torch.tensor([[1.0], [2.0], [4.0], [5.0]])
Y = torch.tensor([[3.0], [1.0], [2.0], [7.0]])


def _learner(algorithm: MamlSpec | RidgeSpec, normalise: bool = True) -> object:
    spec = LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(6,)), normalise=normalise)
    return build_learner(spec, SIGNATURE)


def _support(inputs: torch.Tensor, targets: torch.Tensor) -> SupportSet:
    return SupportSet(inputs, targets, torch.ones(len(inputs)), torch.ones(0))


@pytest.mark.parametrize("algorithm", [MamlSpec(inner_steps=3, inner_lr=0.1), RidgeSpec()])
def test_units_do_not_matter(algorithm: MamlSpec | RidgeSpec) -> None:
    learner = _learner(algorithm)
    params = learner.init(torch.Generator().manual_seed(0))
    plain = learner.predict(params, learner.adapt(params, _support(X, Y)), X + 0.5)
    support = _support(100 * X - 7, 1e-3 * Y + 50)
    other = learner.predict(params, learner.adapt(params, support), 100 * (X + 0.5) - 7)
    torch.testing.assert_close(other["mean"], 1e-3 * plain["mean"] + 50, rtol=1e-4, atol=1e-4)
    if "std" in plain:
        torch.testing.assert_close(other["std"], 1e-3 * plain["std"], rtol=1e-2, atol=0)
    loss = learner.support_loss(params, learner.adapt(params, _support(X, Y)), _support(X, Y))
    answers = learner.predict(params, learner.adapt(params, _support(X, Y)), X)["mean"]
    torch.testing.assert_close(loss, (answers - Y).square().mean())


def test_padding_changes_nothing_and_tasks_share_a_batch() -> None:
    learner = _learner(MamlSpec(inner_steps=2, inner_lr=0.1))
    params = learner.init(torch.Generator().manual_seed(0))
    alone = learner.predict(params, learner.adapt(params, _support(X, Y)), X)["mean"]
    padded = SupportSet(
        torch.cat([X, torch.full((2, 1), 9.0)]).expand(3, 6, 1),
        torch.cat([Y, torch.full((2, 1), -9.0)]).expand(3, 6, 1),
        torch.tensor([1.0, 1, 1, 1, 0, 0]).expand(3, 6),
        torch.ones(3, 0),
    )
    together = predict_batch(learner, params, adapt_batch(learner, params, padded), X.expand(3, 4, 1))
    torch.testing.assert_close(together["mean"], alone.expand(3, 4, 1))


@pytest.mark.parametrize(("inputs", "targets"), [(X[:1], Y[:1]), (X[:0], Y[:0]), (0 * X + 1e4, 0 * Y + 0.1)])
def test_few_or_equal_examples_keep_their_unit_and_gradients_stay_finite(
    inputs: torch.Tensor, targets: torch.Tensor
) -> None:
    learner = _learner(MamlSpec(inner_steps=1, inner_lr=0.1))
    params = learner.init(torch.Generator().manual_seed(0))
    adapted = learner.adapt(params, _support(inputs, targets))
    assert adapted["normal.x_scale"].tolist() == adapted["normal.y_scale"].tolist() == [1.0]
    episode = Episode(_support(inputs, targets), QuerySet(X, Y, torch.ones(4)))
    gradients = torch.func.grad(lambda values: learner.meta_loss(values, episode)[0])(params)
    assert all(value.isfinite().all() for value in gradients.values())


def test_going_on_from_an_adaptation_keeps_its_units() -> None:
    learner = _learner(MamlSpec(inner_steps=2, inner_lr=0.1))
    params = learner.init(torch.Generator().manual_seed(0))
    once = learner.adapt(params, _support(X, Y))
    twice = learner.adapt(params, _support(10 * X, 10 * Y), once)
    assert torch.equal(once["normal.y_scale"], twice["normal.y_scale"])
    assert twice.keys() == once.keys()


def test_only_regression_is_normalised() -> None:
    spec = LearnerSpec(algorithm=MamlSpec(), network=MlpSpec(), normalise=True)
    labels = SIGNATURE.targets.__class__(datatype="BYTES", shape=(-1,))
    with pytest.raises(ValueError, match="only regression"):
        build_learner(spec, SIGNATURE.__class__(inputs=SIGNATURE.inputs, targets=labels), 2)
