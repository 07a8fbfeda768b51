"""Two runs of one seed give the same bytes, for every learner."""

from collections.abc import Callable

import torch
from torch import Generator

from models.algorithms.learner import MetaLearner
from models.episode import Episode, MetaBatch, QuerySet, SupportSet
from models.tasks.family import Split
from models.training.checkpoint import encode_checkpoint
from models.training.config import TrainingSpec
from models.training.meta_trainer import MetaTrainer
from models.training.outer_step import flatten, unflatten
from tests.unit.models.conftest import MAX_WAYS


class Noise:
    """Episodes of a learner's kind: five examples given, four asked for, none with anything to learn."""

    def __init__(
        self, learner: MetaLearner, draw: Callable[..., SupportSet], pad: Callable[..., SupportSet]
    ) -> None:
        self._learner, self._draw, self._pad = learner, draw, pad

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:
        episodes = []
        for _ in range(meta_batch_size):
            support, query = (self._draw(self._learner, count, 3, generator) for count in (5, 4))
            episodes.append(Episode(self._pad(support, 6, MAX_WAYS), QuerySet(*query[:3])))
        return unflatten(tuple(torch.stack(parts) for parts in zip(*map(flatten, episodes), strict=True)))


def test_two_runs_of_one_seed_give_the_same_bytes(
    learner: MetaLearner, draw_support: Callable[..., SupportSet], pad: Callable[..., SupportSet]
) -> None:
    def run(seed: int = 3) -> bytes:
        training = TrainingSpec(iterations=3, meta_batch_size=2, meta_lr=0.01, seed=seed)
        trainer = MetaTrainer(training, Noise(learner, draw_support, pad), learner)
        trainer.run(3)
        return encode_checkpoint(trainer.state())

    assert run() == run()
    assert run() != run(4)
