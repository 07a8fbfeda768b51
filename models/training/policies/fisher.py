"""How far policies go after adapting when their start moves: the Fisher information there, as products. Pure."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.algorithms.maml_policy import MamlPolicy
from models.policies.policy import Distribution
from models.training.outer_step import Layout
from models.training.policies.objective import Stage, mean_over_steps, tasks_at_once


def fisher_product(
    learner: MamlPolicy,
    layout: Layout,
    params: Tensor,
    stages: Sequence[Stage],
    rates: Sequence[float],
) -> Callable[[Tensor], Tensor]:
    """From a direction v [P] to J' F J v [P], the mean over tasks, at the parameters [P] that collected the stages.

    J is the derivative of what the policies after the last step draw from, through all inner steps, and F is the
    Fisher information of that. It is the Hessian of `divergence_after` there: what else a Hessian has is a multiple
    of the divergence's own gradient, which is zero where nothing has moved. One graph serves all products.
    """
    last = stages[-1].trajectories

    def adapted(at: Tensor) -> Distribution:
        def one(of_task: list[Stage]) -> Distribution:
            current = dict(layout.unpack(at))
            for stage, rate in zip(of_task, rates, strict=False):
                current = learner.step(current, stage.trajectories, stage.signal, rate)
            return learner.policy.distribution(current, of_task[-1].trajectories.observations)

        found: Distribution = torch.vmap(one, chunk_size=tasks_at_once(stages))(list(stages))
        return found

    there_and_back = torch.func.vjp(adapted, params)
    there: Distribution = there_and_back[0]
    back: Callable[[Distribution], tuple[Tensor]] = there_and_back[1]
    # What is linear backwards carries moves forwards by its transpose.
    nowhere = {name: torch.zeros_like(value) for name, value in there.items()}
    forth: Callable[[tuple[Tensor]], tuple[Distribution]] = torch.func.vjp(back, nowhere)[1]

    def half_curvature(move: Distribution) -> Tensor:
        each = torch.vmap(learner.policy.curvature)(there, move)
        half: Tensor = 0.5 * torch.vmap(mean_over_steps)(each, last).mean()
        return half

    def product(direction: Tensor) -> Tensor:
        (move,) = forth((direction,))
        (result,) = back(torch.func.grad(half_curvature)(move))
        return result

    return product
