"""Outer steps on a GPU as one recording that is replayed: a launch a step. Knows steps and blocks; no clock.

State, block and place in the block stay in the recording: a replay takes the step at its place and moves on, so
that nothing is copied and nobody waits between two steps of a block.
"""

from functools import partial

import torch
from torch import Tensor

from models.programs.recorded import Recording
from models.training.blocks import Block
from models.training.outer_step import OuterState, OuterStep


class GraphPlan:
    """All tasks of a meta-batch in one pass, recorded; equal to `vmap` but for rounding."""

    def __init__(self, name: str, step: OuterStep) -> None:
        self.name = name
        self._step = step
        self._recording: Recording | None = None
        self._block: Block | None = None

    def run(self, state: OuterState, block: Block, place: int, count: int) -> tuple[OuterState, Tensor]:
        """As `Plan.run`. Records first, for blocks of this shape; raises NotRecordable, or OutOfMemoryError."""
        recording = self._recording
        if recording is None:
            recording = self._recording = Recording(partial(advance, self._step), self._inputs(state, block))
        *vectors, history, at = recording.inputs[: len(state) + 2]
        for held, given in zip(vectors, state, strict=True):
            held.copy_(given)
        if self._block is not block:
            for held, given in zip(
                recording.inputs[len(state) + 2 :], (block.rates, *block.episodes), strict=True
            ):
                held.copy_(given)
            self._block = block
        at.fill_(place)
        for _ in range(count):
            recording.replay()
        return OuterState(*(held.clone() for held in vectors)), history[place : place + count].clone()

    def _inputs(self, state: OuterState, block: Block) -> list[Tensor]:
        """State, history [B, K], place [1], rates and episodes."""
        history = torch.zeros(len(block.rates), len(self._step.metric_names), device=block.rates.device)
        place = torch.zeros(1, dtype=torch.int64, device=block.rates.device)
        return [*state, history, place, block.rates, *block.episodes]


def advance(
    step: OuterStep,
    params: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    history: Tensor,
    at: Tensor,
    *inputs: Tensor,
) -> tuple[Tensor, ...]:
    """Take the step at `at` [1] of a block's rates and episodes, all in place; `at` moves on, round the block."""
    state = OuterState(params, exp_avg, exp_avg_sq)
    *vectors, metrics = step(*state, *(one.index_select(0, at).squeeze(0) for one in inputs))
    for held, after in zip(state, vectors, strict=True):
        held.copy_(after)
    history.index_copy_(0, at, metrics.unsqueeze(0))
    # Round the block: warming up takes steps too, of a block that may have but one.
    at.add_(1).remainder_(len(history))
    return ()
