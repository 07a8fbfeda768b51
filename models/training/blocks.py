"""The episodes of many outer steps, drawn at once. Knows families by their protocol; nothing of learners.

Drawing a block costs little more than drawing one meta-batch of it, and a compiled program takes all its steps in
one call. What is drawn depends on the seed and the iteration alone, never on how a run was cut.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from models.functional import on_device
from models.tasks.family import TaskFamily
from models.training.config import TrainingSpec
from models.training.outer_step import Episodes, flatten, outer_rates, unflatten

# Outer steps in a block at most, and numbers (4 bytes each) that its episodes hold at most.
LONGEST = 64
LARGEST = 1 << 22


class Block(NamedTuple):
    """B outer steps' worth: the episodes of each, and Adam's rates at each."""

    first: int  # the iteration of its first step
    episodes: Episodes  # [B, M, ...] each, contiguous
    rates: Tensor  # float32 [B, 3], see `outer_rates`

    def episodes_at(self, place: int) -> Episodes:
        """The meta-batch of its step number `place`."""
        return tuple(tensor[place] for tensor in self.episodes)


class Blocks:
    """A run's blocks, one after the other, from the run's own generator, which is the CPU's.

    `length` is B, and `example` any one episode.
    """

    def __init__(
        self, training: TrainingSpec, family: TaskFamily, generator: Generator, device: torch.device
    ) -> None:
        self._training = training
        self._family = family
        self._generator = generator
        self._device = device
        self._before = generator.get_state()
        self._block: Block | None = None
        one = flatten(family.sample(torch.Generator(), 1))
        self.example = unflatten(tuple(tensor[0].to(device) for tensor in one))
        numbers = sum(tensor.numel() for tensor in one) * training.meta_batch_size
        self.length = max(1, min(LONGEST, training.iterations, LARGEST // numbers))

    def at(self, iteration: int) -> Block:
        """The block that the iteration lies in; blocks are asked for in order."""
        first = iteration - iteration % self.length
        if self._block is None or self._block.first != first:
            self._before = self._generator.get_state()
            self._block = self._draw(first)
        return self._block

    def generator_state(self, iteration: int) -> Tensor:
        """What `restore` needs to go on at this iteration: the generator as its block is drawn with."""
        within = self._block is not None and iteration < self._block.first + self.length
        return self._before if within else self._generator.get_state()

    def restore(self, generator_state: Tensor) -> None:
        """Go on from what `generator_state` gave."""
        self._generator.set_state(generator_state)
        self._before = generator_state
        self._block = None

    def _draw(self, first: int) -> Block:
        size = self._training.meta_batch_size
        batch = self._family.sample(self._generator, self.length * size)
        # A clone each: a family may give several views of one tensor, and a program's inputs share no memory.
        episodes = (tensor.reshape(self.length, size, *tensor.shape[1:]) for tensor in flatten(batch))
        return Block(
            first,
            # The next block is drawn while this one trains.
            tuple(
                on_device(tensor.clone(memory_format=torch.contiguous_format), self._device)
                for tensor in episodes
            ),
            on_device(outer_rates(self._training, first, self.length), self._device),
        )
