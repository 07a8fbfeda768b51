"""Examples apart from episodes, for training on all classes or all tasks together. Knows no learner."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from models.episode import Episode, MetaBatch, QuerySet, SupportSet
from models.tasks.family import Split, TaskFamily


@runtime_checkable
class HasClasses(Protocol):
    """A family whose episodes give their own numbers to classes that have numbers of their own as well."""

    @property
    def train_classes(self) -> int:
        """How many classes the meta-training side has."""
        ...

    def examples(self, generator: Generator, size: int) -> tuple[Tensor, Tensor]:
        """`size` examples of the meta-training side: inputs float32 [size, X], and classes int64 [size]."""
        ...


class Pooled:
    """A family's meta-training examples as episodes without a support set: each one batch, all of it query.

    They are as a learner's network sees them: `encode` is applied to every episode before it is taken apart.
    """

    def __init__(self, family: TaskFamily, batch_size: int, encode: Callable[[Episode], Episode]) -> None:
        self._family = family
        self._encode = torch.vmap(encode)
        self._batch_size = batch_size
        support, query = family.sample(torch.Generator(), 1)
        per_episode = support.mask.shape[1] + query.mask.shape[1]
        self._episodes = max(1, round(batch_size / per_episode))

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:
        """M batches: query [M, B, X] and their targets, class numbers or regression values; support [M, 0, X]."""
        batches = meta_batch_size
        if isinstance(self._family, HasClasses):
            inputs, targets = self._family.examples(generator, batches * self._batch_size)
            whole = (inputs, targets, torch.ones(len(inputs), device=inputs.device))
            query = self._encode(_asked(*(tensor.unsqueeze(0) for tensor in whole))).query
            parts = [[tensor] for tensor in query]
        else:
            support, query = self._encode(self._family.sample(generator, batches * self._episodes))
            parts = [[given, asked] for given, asked in zip(support[:3], query, strict=True)]
        inputs, targets, mask = (
            torch.cat(part, dim=1).flatten(0, 1).reshape(batches, -1, *part[0].shape[2:]) for part in parts
        )
        return _asked(inputs, targets, mask)


def _asked(inputs: Tensor, targets: Tensor, mask: Tensor) -> MetaBatch:
    """Episodes [M, ...] of a query alone."""
    nothing = SupportSet(inputs[:, :0], targets[:, :0], mask[:, :0], mask[:, :0])
    return Episode(nothing, QuerySet(inputs, targets, mask))
