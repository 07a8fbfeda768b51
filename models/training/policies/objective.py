"""The outer objective of a policy: how well it does after adapting, from trajectories that were collected. Pure.

Stages are what K inner steps are made of: trajectories before each step, and those after the last.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.algorithms.advantages import Signal
from models.algorithms.maml_policy import MamlPolicy
from models.algorithms.surrogates import score_term
from models.functional import Params, masked_mean
from models.policies.policy import Distribution
from models.trajectory import Trajectories, returns


class Stage(NamedTuple):
    """What was collected at one number of inner steps; a meta-batch's carries a leading M."""

    trajectories: Trajectories
    signal: Signal
    distribution: Distribution  # what the actions were drawn from
    standing: Tensor  # [], how good the task's mean return is, in standard deviations over the meta-batch


class Objective(NamedTuple):
    """Scalars of one task, or means over the meta-batch."""

    gain: Tensor  # the importance-weighted advantage after adapting, to be maximised; 0 where nothing moved
    score: Tensor  # the score term, to be maximised; 0 without
    divergence_before: Tensor  # KL(sampling ‖ new) summed over the policies before each inner step
    divergence_after: Tensor  # the same of the policy after the last


def standings(trajectories: Trajectories) -> Tensor:
    """How each task's mean return [M] stands among those of the others: standardised, leave nothing to scale."""
    mean_M = returns(trajectories).mean(-1)
    return (mean_M - mean_M.mean()) / (mean_M.std(correction=0) + 1e-8)


def task_objective(
    learner: MamlPolicy,
    params: Params,
    stages: Sequence[Stage],
    rates: Sequence[float],
    clip: float | None = None,
) -> Objective:
    """Of one task: its stages are K + 1, with K rates. `clip` is PPO's (Schulman et al. 2017), None for none."""
    zero = stages[-1].standing * 0
    score, before = zero, zero
    current = dict(params)
    for stage, rate in zip(stages, rates, strict=False):
        before = before + _divergence(learner, current, stage)
        if learner.spec.score_term:
            log_probs = learner.log_probs(current, stage.trajectories)
            score = score + score_term(log_probs, stages[-1].standing) / stage.trajectories.mask.sum()
        current = learner.step(current, stage.trajectories, stage.signal, rate)
    last = stages[-1]
    ratios = (learner.log_probs(current, last.trajectories) - last.trajectories.log_probs).exp()
    gains = ratios * last.signal.advantages
    if clip is not None:
        gains = torch.minimum(gains, ratios.clamp(1 - clip, 1 + clip) * last.signal.advantages)
    gain = masked_mean(gains.flatten(), last.trajectories.mask.flatten())
    return Objective(gain, score, before, _divergence(learner, current, last))


def batch_objective(
    learner: MamlPolicy,
    params: Params,
    stages: Sequence[Stage],
    rates: Sequence[float],
    clip: float | None = None,
) -> Objective:
    """The mean of `task_objective` over the meta-batch, all tasks in one pass."""

    def one(of_task: list[Stage]) -> Objective:
        return task_objective(learner, params, of_task, rates, clip)

    each: Objective = torch.vmap(one)(list(stages))
    return Objective(*(values_M.mean() for values_M in each))


def _divergence(learner: MamlPolicy, params: Params, stage: Stage) -> Tensor:
    now = learner.policy.distribution(params, stage.trajectories.observations)
    each = learner.policy.divergence(stage.distribution, now)
    return masked_mean(each.flatten(), stage.trajectories.mask.flatten())
