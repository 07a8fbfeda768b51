"""Ensembles and views: the members are learners as they are alone, and answers are means of theirs."""

import pytest
import torch
from torch import Tensor

from models.algorithms.batched import adapt_batch, predict_batch
from models.algorithms.views import Views, copies
from models.build import build_learner
from models.episode import Episode, QuerySet, SupportSet
from models.spec import (
    AlgorithmSpec,
    Conv4Spec,
    LabelledSpec,
    LearnerSpec,
    MamlSpec,
    MlpSpec,
    ProtoNetSpec,
    RidgeSpec,
    SinusoidSpec,
    signature_of,
)

LETTERS = signature_of(LabelledSpec(dataset="ds_1"), (3,))
PICTURES = signature_of(LabelledSpec(dataset="ds_1"), (16, 16, 1))
ALGORITHMS = [MamlSpec(inner_lr=0.1), ProtoNetSpec(), RidgeSpec()]


def _episode(*shape: int, queries: int = 4) -> Episode:
    """Three classes of two examples; of the third slot's fourth neighbour there is nothing."""
    generator = torch.Generator().manual_seed(3)
    support = SupportSet(
        torch.randn(6, *shape, generator=generator),
        torch.tensor([0, 0, 1, 1, 2, 2]),
        torch.ones(6),
        torch.tensor([1.0, 1.0, 1.0, 0.0]),
    )
    inputs = torch.randn(queries, *shape, generator=generator)
    return Episode(support, QuerySet(inputs, torch.arange(queries) % 3, torch.ones(queries)))


def _member(params: dict[str, Tensor], member: int) -> dict[str, Tensor]:
    prefix = f"member.{member}."
    return {name.removeprefix(prefix): value for name, value in params.items() if name.startswith(prefix)}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_ensemble_answers_with_the_mean_of_its_members(algorithm: AlgorithmSpec) -> None:
    alone = LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(5,)))
    one = build_learner(alone, LETTERS, 4)
    three = build_learner(LearnerSpec(algorithm=algorithm, network=alone.network, members=3), LETTERS, 4)
    params = three.init(torch.Generator().manual_seed(0))
    support, query = _episode(3)
    adapted = three.adapt(params, support)
    logits = three.predict(params, adapted, query.inputs)["logits"]
    answers = []
    for member in range(3):
        own = _member(params, member)
        answers.append(one.predict(own, one.adapt(own, support), query.inputs)["logits"].log_softmax(-1))
    torch.testing.assert_close(logits, torch.stack(answers).mean(0))
    assert not torch.equal(answers[0], answers[1])
    assert torch.equal(adapted["class_mask"], support.class_mask)
    assert logits[:, 3].isneginf().all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_member_learns_from_its_own_loss(algorithm: AlgorithmSpec) -> None:
    spec = LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(5,)), members=2)
    two = build_learner(spec, LETTERS, 4)
    one = build_learner(LearnerSpec(algorithm=algorithm, network=spec.network), LETTERS, 4)
    params, episode = two.init(torch.Generator().manual_seed(0)), _episode(3)
    gradients = torch.func.grad(lambda given: two.meta_loss(given, episode)[0])(params)
    for member in range(2):
        own = torch.func.grad(lambda given: one.meta_loss(given, episode)[0])(_member(params, member))
        torch.testing.assert_close(
            _member(gradients, member), {name: value / 2 for name, value in own.items()}
        )


def test_the_std_of_an_ensemble_is_that_of_the_mixture() -> None:
    signature = signature_of(SinusoidSpec())
    spec = LearnerSpec(algorithm=RidgeSpec(), network=MlpSpec(hidden=(5,)), members=2)
    learner = build_learner(spec, signature)
    one = build_learner(LearnerSpec(algorithm=RidgeSpec(), network=spec.network), signature)
    params = learner.init(torch.Generator().manual_seed(0))
    x = torch.linspace(-2, 2, 5).unsqueeze(-1)
    support = SupportSet(x, x.sin(), torch.ones(5), torch.ones(0))
    answer = learner.predict(params, learner.adapt(params, support), x + 0.3)
    answers = []
    for member in range(2):
        own = _member(params, member)
        answers.append(one.predict(own, one.adapt(own, support), x + 0.3))
    second = torch.stack([each["std"].square() + each["mean"].square() for each in answers]).mean(0)
    torch.testing.assert_close(answer["std"], (second - answer["mean"].square()).sqrt(), rtol=1e-4, atol=1e-5)


def test_one_view_is_the_image_and_none_depends_on_another_image() -> None:
    images = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(copies(images, 1), images)
    many = copies(images, 9)
    assert many.shape == (18, 1, 16, 16)
    torch.testing.assert_close(copies(images[1:], 9), many[1::2])
    assert all(not torch.allclose(images, part) for part in many.split(2)[1:])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_views_batch_as_their_learner_does_and_train_as_it_does(algorithm: AlgorithmSpec) -> None:
    spec = LearnerSpec(algorithm=algorithm, network=Conv4Spec(hidden=8), views=3)
    learner = build_learner(spec, PICTURES, 4)
    assert isinstance(learner, Views)
    params, (support, query) = learner.init(torch.Generator().manual_seed(0)), _episode(1, 16, 16)
    alone = learner.predict(params, learner.adapt(params, support), query.inputs)["logits"]
    assert alone.shape == (4, 4)
    batch = SupportSet(*(tensor.expand(2, *tensor.shape) for tensor in support))
    adapted = adapt_batch(learner, params, batch)
    together = predict_batch(learner, params, adapted, query.inputs.expand(2, *query.inputs.shape))["logits"]
    torch.testing.assert_close(together, alone.expand_as(together), rtol=1e-4, atol=1e-4)
    episode = Episode(support, query)
    assert torch.equal(learner.meta_loss(params, episode)[0], learner.learner.meta_loss(params, episode)[0])


def test_only_images_have_views() -> None:
    spec = LearnerSpec(algorithm=ProtoNetSpec(), network=MlpSpec(), views=2)
    with pytest.raises(ValueError, match="only images"):
        build_learner(spec, LETTERS)
