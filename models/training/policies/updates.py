"""Outer steps of a policy as functions of the flat vector of meta-parameters: PPO, TRPO, plain policy gradient."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.algorithms.conjugate_gradients import conjugate_gradients, dot
from models.algorithms.maml_policy import MamlPolicy
from models.spec import PolicyGradientSpec, PpoSpec, TrpoSpec
from models.training.outer_step import Layout, OuterState, adam, clipped
from models.training.policies.fisher import fisher_product
from models.training.policies.objective import Objective, Stage, batch_objective


def ppo(
    learner: MamlPolicy,
    layout: Layout,
    state: OuterState,
    stages: Sequence[Stage],
    inner_rates: Sequence[float],
    spec: PpoSpec | PolicyGradientSpec,
    rates: Sequence[Tensor],
    clip_norm: float,
) -> tuple[OuterState, Objective]:
    """One Adam step for each of `rates`, all on the same trajectories; the objective at the first."""
    clip, weight = (spec.clip, spec.divergence) if isinstance(spec, PpoSpec) else (None, 0.0)

    def loss(params: Tensor) -> tuple[Tensor, Objective]:
        found = batch_objective(learner, layout.unpack(params), stages, inner_rates, clip)
        return weight * found.divergence_before - found.gain - found.score, found

    first: Objective | None = None
    for pair in rates:
        gradient, found = torch.func.grad(loss, has_aux=True)(state.params)
        first = first or found
        state = adam(state, clipped(gradient, clip_norm), pair)
    assert first is not None
    return state, first


def trpo(
    learner: MamlPolicy,
    layout: Layout,
    params: Tensor,
    stages: Sequence[Stage],
    inner_rates: Sequence[float],
    spec: TrpoSpec,
) -> tuple[Tensor, Objective]:
    """A natural gradient step of at most `spec.divergence`, shortened until it improves; the objective before it.

    Where no shortening does, the parameters stay as they are.
    """

    def objective(at: Tensor) -> Objective:
        return batch_objective(learner, layout.unpack(at), stages, inner_rates)

    def loss(at: Tensor) -> tuple[Tensor, Objective]:
        found = objective(at)
        return -found.gain - found.score, found

    times_fisher = fisher_product(learner, layout, params, stages, inner_rates)

    def curved(vector: dict[str, Tensor]) -> dict[str, Tensor]:
        flat = layout.pack(vector)
        return layout.unpack(times_fisher(flat) + spec.damping * flat)

    gradient, before = torch.func.grad(loss, has_aux=True)(params)
    solution = conjugate_gradients(curved, layout.unpack(gradient), spec.cg_steps)
    # As far as it goes, a solution's residual has no part along it: its curvature is its slope.
    steepness = dot(solution, layout.unpack(gradient))
    direction = layout.pack(solution)
    scale = (2 * spec.divergence / steepness.clamp(min=1e-12)).sqrt()
    target = -before.gain - before.score
    for halvings in range(spec.backtracks):
        candidate = params - scale * 0.8**halvings * direction
        value, found = loss(candidate)
        if bool(value < target) and bool(found.divergence_after <= spec.divergence):
            return candidate, before
    return params, before
