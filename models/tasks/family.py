"""The protocol every distribution over tasks keeps. Knows episodes; nothing of learners."""

from typing import Literal, Protocol

import torch
from torch import Generator, Tensor

from models.episode import MetaBatch

# Meta-training draws from `train`, the meta-test from `test`: held-out classes where the family has a fixed
# stock of them, fresh draws where it makes tasks from a formula.
Split = Literal["train", "test"]


class TaskFamily(Protocol):
    """A distribution over tasks, sampled an episode at a time, many at once."""

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:
        """M = `meta_batch_size` episodes, the same for the same generator state (of the CPU).

        They are on the CPU, or where the family's data are.
        """
        ...


def uniform(generator: Generator, low: float, high: float, *shape: int) -> Tensor:
    """Float32 of the given shape, drawn from U[low, high]."""
    return low + (high - low) * torch.rand(*shape, generator=generator)
