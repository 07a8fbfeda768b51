"""The ways to execute outer steps: all tasks in one pass, or a task at a time. Knows no clock and no file.

Both give the same numbers up to rounding, and each the same bytes every time. Which is faster depends on network,
tasks and machine: one pass saves calls, but a convolution with its own weights for every task becomes a grouped
one, which CPUs do badly.
"""

from typing import Protocol

import torch
from torch import Tensor

from models.training.blocks import Block
from models.training.outer_step import OuterState, OuterStep
from models.training.tracing import Traced


class Plan(Protocol):
    """One way to execute outer steps. Its name says what decides a run's bytes besides configuration and seed."""

    @property
    def name(self) -> str: ...

    def run(self, state: OuterState, block: Block, place: int, count: int) -> tuple[OuterState, Tensor]:
        """Takes `count` steps of the block from its step number `place`; the state then, and metrics [count, K]."""
        ...


class EagerPlan:
    """A step at a time, by calls of torch's own kernels."""

    name: str
    traced: Traced

    @property
    def kernels(self) -> int | None:
        """Calls of kernels for each pass over a task or a meta-batch; None before they were counted."""
        return self.traced.kernels

    def run(self, state: OuterState, block: Block, place: int, count: int) -> tuple[OuterState, Tensor]:
        history = []
        for at in range(place, place + count):
            state, metrics = self.step(state, block, at)
            history.append(metrics)
        return state, torch.stack(history)

    def step(self, state: OuterState, block: Block, place: int) -> tuple[OuterState, Tensor]:
        """The block's step number `place`: the state after it, metrics [K]."""
        raise NotImplementedError


class VmapPlan(EagerPlan):
    """All tasks of a meta-batch in one pass, by `torch.vmap`."""

    name = "vmap"

    def __init__(self, step: OuterStep) -> None:
        self.traced = Traced(step)

    def step(self, state: OuterState, block: Block, place: int) -> tuple[OuterState, Tensor]:
        *vectors, metrics = self.traced(*state, block.rates[place], *block.episodes_at(place))
        return OuterState(*vectors), metrics


class LoopPlan(EagerPlan):
    """One task after the other; the meta-gradient is the mean of theirs."""

    name = "loop"

    def __init__(self, step: OuterStep) -> None:
        self.traced = Traced(step.task_gradient)
        self._update = step.update

    def step(self, state: OuterState, block: Block, place: int) -> tuple[OuterState, Tensor]:
        tasks = zip(*(tensor.unbind() for tensor in block.episodes_at(place)), strict=True)
        gradient = torch.zeros_like(state.params)
        metrics: list[Tensor] = []
        for task in tasks:
            task_gradient, task_metrics = self.traced(state.params, *task)
            gradient += task_gradient
            metrics.append(task_metrics)
        mean = gradient / len(metrics)
        return self._update(state, mean, block.rates[place]), torch.stack(metrics).mean(0)


EAGER_PLANS: dict[str, type[VmapPlan] | type[LoopPlan]] = {plan.name: plan for plan in (VmapPlan, LoopPlan)}
