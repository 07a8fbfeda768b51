"""Turns: the sides of a square, a mean over them, batches as one by one, and training as without."""

import pytest
import torch

from models.algorithms.batched import adapt_batch, predict_batch
from models.algorithms.turns import Turns, turned
from models.build import build_learner
from models.episode import Episode, QuerySet, SupportSet
from models.spec import (
    Conv4Spec,
    LearnerSpec,
    LocalMatchingSpec,
    MamlSpec,
    ProtoNetSpec,
    ResNetMapsSpec,
    Signature,
    TensorSpec,
)

TARGETS = TensorSpec(datatype="BYTES", shape=(-1,))
SQUARE = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 16, 16, 1)), targets=TARGETS)
WIDE = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 16, 18, 1)), targets=TARGETS)
SPECS = [
    LearnerSpec(algorithm=MamlSpec(inner_steps=1), network=Conv4Spec(hidden=8), turns=4),
    LearnerSpec(algorithm=ProtoNetSpec(), network=Conv4Spec(hidden=8), members=2, turns=4),
    LearnerSpec(algorithm=LocalMatchingSpec(max_support=8), network=ResNetMapsSpec(width=8), turns=8),
]


def episode() -> Episode:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(10, 1, 16, 16, generator=generator)
    slots = torch.arange(6) % 3
    support = SupportSet(images[:6], slots, torch.ones(6), torch.ones(3))
    return Episode(support, QuerySet(images[6:], slots[:4], torch.ones(4)))


def test_a_square_has_eight_sides() -> None:
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    sides = [turned(image, turn) for turn in range(8)]
    assert torch.equal(sides[0], image)
    assert len({tuple(side.flatten().tolist()) for side in sides}) == 8
    for side in sides:
        assert side[0, 0, 1, 1] == 4
        assert side[0, 0, ::2, ::2].sum() == 16


@pytest.mark.parametrize("spec", SPECS)
def test_an_answer_is_the_mean_over_the_sides_and_training_the_learners_own(spec: LearnerSpec) -> None:
    learner = build_learner(spec, SQUARE, 3)
    assert isinstance(learner, Turns)
    params, (support, query) = learner.init(torch.Generator().manual_seed(0)), episode()
    inner = learner.learner
    logits = []
    for turn in range(spec.turns):
        adapted = inner.adapt(params, support._replace(inputs=turned(support.inputs, turn)))
        answer = inner.predict(params, adapted, turned(query.inputs, turn))
        logits.append(torch.log_softmax(answer["logits"], -1))
    answer = learner.predict(params, learner.adapt(params, support), query.inputs)
    torch.testing.assert_close(answer["logits"], torch.stack(logits).mean(0))
    task = Episode(support, query)
    assert torch.equal(learner.meta_loss(params, task)[0], inner.meta_loss(params, task)[0])
    assert learner.support_loss(params, learner.adapt(params, support), support).isfinite()


@pytest.mark.parametrize("spec", SPECS)
def test_a_turned_task_has_the_same_answers(spec: LearnerSpec) -> None:
    """As far as the sides agree: four turns of a turned task are the same four."""
    learner = build_learner(spec, SQUARE, 3)
    params, (support, query) = learner.init(torch.Generator().manual_seed(0)), episode()
    plain = learner.predict(params, learner.adapt(params, support), query.inputs)["logits"]
    aside = support._replace(inputs=turned(support.inputs, 1))
    again = learner.predict(params, learner.adapt(params, aside), turned(query.inputs, 1))["logits"]
    torch.testing.assert_close(again, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("spec", SPECS)
def test_turns_batch_as_one_by_one(spec: LearnerSpec) -> None:
    learner = build_learner(spec, SQUARE, 3)
    params, (support, query) = learner.init(torch.Generator().manual_seed(0)), episode()
    alone = learner.predict(params, learner.adapt(params, support), query.inputs)["logits"]
    batch = SupportSet(*(tensor.expand(2, *tensor.shape) for tensor in support))
    adapted = adapt_batch(learner, params, batch)
    together = predict_batch(learner, params, adapted, query.inputs.expand(2, *query.inputs.shape))["logits"]
    torch.testing.assert_close(together, alone.expand_as(together), rtol=1e-4, atol=1e-4)


def test_adaptation_goes_on_from_every_side() -> None:
    learner = build_learner(SPECS[0], SQUARE, 3)
    params, (support, _) = learner.init(torch.Generator().manual_seed(0)), episode()
    once = learner.adapt(params, support)
    twice = learner.adapt(params, support, once)
    assert twice.keys() == once.keys()
    before, after = (learner.support_loss(params, adapted, support) for adapted in (once, twice))
    assert after < before


def test_only_square_images_are_turned() -> None:
    with pytest.raises(ValueError, match="only square images"):
        build_learner(SPECS[1], WIDE, 3)
