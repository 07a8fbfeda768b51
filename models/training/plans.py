"""The ways to execute outer steps: all tasks in one pass, or a task at a time. Knows no clock and no file.

Both give the same numbers up to rounding, and each the same bytes every time. Which is faster depends on network,
tasks and machine: one pass saves calls, but a convolution with its own weights for every task becomes a grouped
one, which CPUs do badly.
"""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
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


class EagerPlan(ABC):
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

    @abstractmethod
    def step(self, state: OuterState, block: Block, place: int) -> tuple[OuterState, Tensor]:
        """The block's step number `place`: the state after it, metrics [K]."""


class VmapPlan(EagerPlan):
    """All tasks of a meta-batch in one pass, by `torch.vmap`."""

    name = "vmap"

    def __init__(self, step: OuterStep) -> None:
        self.traced = Traced(step)

    def step(self, state: OuterState, block: Block, place: int) -> tuple[OuterState, Tensor]:
        inputs = (*state, block.rates[place], *block.episodes_at(place))
        *vectors, metrics = self.traced.calls(1, *inputs)(*inputs)
        return OuterState(*vectors), metrics


class LoopPlan(EagerPlan):
    """Each task by itself, as many at a time as there are threads; the meta-gradient is the mean of theirs.

    A thread to a task, and no thread waits for another before its task is done: sharing the kernels of one small
    task among threads would have them wait for each other at each. The bytes do not depend on their number.
    """

    name = "loop"

    def __init__(self, step: OuterStep) -> None:
        self.traced = Traced(step.task_gradient)
        self._update = step.update
        self._threads = _single_threads(torch.get_num_threads())

    def step(self, state: OuterState, block: Block, place: int) -> tuple[OuterState, Tensor]:
        tasks = list(zip(*(tensor.unbind() for tensor in block.episodes_at(place)), strict=True))
        gradient_of = self.traced.calls(len(tasks), state.params, *tasks[0])
        gradient, metrics = torch.zeros_like(state.params), []
        for task_gradient, task_metrics in self._threads.map(
            lambda task: gradient_of(state.params, *task), tasks
        ):
            gradient += task_gradient
            metrics.append(task_metrics)
        mean = gradient / len(tasks)
        return self._update(state, mean, block.rates[place]), torch.stack(metrics).mean(0)


def _single_threads(count: int) -> ThreadPoolExecutor:
    """A pool of so many threads, each of which computes by itself."""
    started = Barrier(count)

    def start() -> None:
        # Of the calling thread, and by the way of those that are still to come: hence the barrier, and after it
        # this thread's own number again.
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(count, "task", initializer=start)
    list(pool.map(lambda _: None, range(count)))
    torch.set_num_threads(count)
    return pool


EAGER_PLANS: dict[str, type[VmapPlan] | type[LoopPlan]] = {plan.name: plan for plan in (VmapPlan, LoopPlan)}
