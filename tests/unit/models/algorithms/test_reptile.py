"""Reptile: how examples are dealt into mini-batches, wherever padding lies, and what its meta-loss is."""

import torch

from models.algorithms.reptile import deal
from models.episode import SupportSet
from models.spec import ReptileSpec
from tests.unit.models.algorithms.finite_differences import doubles, padded_episode, small_learner


def test_every_class_is_dealt_into_all_mini_batches_in_turn() -> None:
    targets = torch.tensor([0, 0, 0, 1, 1, 9, 1, 0])
    mask = torch.tensor([1.0, 1, 1, 1, 1, 0, 1, 0])
    examples = SupportSet(torch.zeros(8, 2), targets, mask, torch.tensor([1.0, 1, 0]))
    first, second = deal(examples, 2)
    assert first.mask.tolist() == [1, 0, 1, 1, 0, 0, 1, 0]
    assert second.mask.tolist() == [0, 1, 0, 0, 1, 0, 0, 0]


def test_numbers_are_dealt_in_turn() -> None:
    mask = torch.tensor([1.0, 0, 1, 1])
    dealt = deal(SupportSet(torch.zeros(4, 2), torch.zeros(4, 1), mask, torch.ones(0)), 3)
    assert [batch.mask.tolist() for batch in dealt] == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_the_meta_loss_is_a_distance_and_its_metrics_are_of_the_support_set_s_adaptation() -> None:
    learner = small_learner(ReptileSpec(inner_steps=3, inner_lr=0.1), "regression")
    params, episode = doubles(learner), padded_episode("regression")
    loss, metrics = learner.meta_loss(params, episode)
    adapted = learner.adapt(params, episode.support)
    query = episode.support._replace(**episode.query._asdict())
    torch.testing.assert_close(metrics["loss"], learner.support_loss(params, adapted, query))
    still = small_learner(ReptileSpec(inner_steps=0), "regression").meta_loss(params, episode)[0]
    assert loss > still == 0
