"""What a program computes, and its compilation. Knows learners by their protocol; imports the compiler.

The loop over a block's steps is part of the program: neither Python nor a check of arguments comes between two.
"""

from pathlib import Path

import torch
from torch import Tensor
from torch._higher_order_ops.while_loop import while_loop
from torch._inductor import aoti_compile_and_package

from models.build import build_learner
from models.networks.kernels import Kernels
from models.training.optimizer import update_of
from models.training.outer_step import Episodes, Layout, OuterState, OuterStep, unflatten
from models.training.program import ProgramSpec
from models.training.tracing import trace


def compile_program(spec: ProgramSpec, path: Path) -> None:
    """Compile the program of `spec` into a file (`.pt2`); takes the better part of a minute and a C++ compiler."""
    learner = build_learner(spec.learner, spec.signature, spec.max_ways, Kernels(backbone=spec.precision))
    initial = learner.init(torch.Generator())
    layout = Layout(initial)
    episode = tuple(torch.zeros(shape, dtype=getattr(torch, dtype)) for shape, dtype in spec.episode)
    update = update_of(spec.optimizer, spec.clip_norm, layout)
    step = OuterStep(learner, layout, update, unflatten(episode))
    # Expanding would make them views of one another; a program's inputs share no memory.
    episodes = tuple(one.repeat(spec.steps, spec.meta_batch_size, *[1] * one.dim()) for one in episode)
    vectors = [layout.pack(initial) for _ in OuterState._fields]
    history = torch.zeros(spec.steps, len(step.metric_names))
    examples = (*vectors, history, torch.tensor(0), torch.tensor(1), torch.ones(spec.steps, 3), *episodes)
    with torch.no_grad():
        exported = torch.export.export(_Steps(step, examples), examples, strict=False)
    aoti_compile_and_package(exported, package_path=str(path))


class _Steps(torch.nn.Module):
    """Outer steps number `place` to `place + count` of a block, with the metrics of each in a row of `history`."""

    def __init__(self, step: OuterStep, examples: Episodes) -> None:
        super().__init__()
        vectors, (rates, *episodes) = examples[:3], examples[6:]
        self.step = trace(step, *vectors, rates[0], *(tensor[0] for tensor in episodes))

    def forward(
        self,
        params: Tensor,
        exp_avg: Tensor,
        exp_avg_sq: Tensor,
        history: Tensor,
        place: Tensor,
        count: Tensor,
        *inputs: Tensor,
    ) -> tuple[Tensor, ...]:
        def is_left(done: Tensor, *_: Tensor) -> Tensor:
            return done < count

        def advance(done: Tensor, *carried: Tensor) -> tuple[Tensor, ...]:
            *vectors, history = carried
            at = (place + done).reshape(1)
            *vectors, metrics = self.step(*vectors, *(one.index_select(0, at).squeeze(0) for one in inputs))
            return done + 1, *vectors, history.index_copy(0, at, metrics.unsqueeze(0))

        start = (torch.zeros_like(place), params, exp_avg, exp_avg_sq, history)
        after: tuple[Tensor, ...] = while_loop(is_left, advance, start)  # type: ignore[no-untyped-call]
        return after[1:]
