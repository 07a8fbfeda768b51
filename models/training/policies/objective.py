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
from models.trajectory import Trajectories

_STEPS_AT_ONCE = 4000


class Stage(NamedTuple):
    """What was collected at one number of inner steps; a meta-batch's carries a leading M."""

    trajectories: Trajectories
    signal: Signal
    distribution: Distribution  # what the actions were drawn from
    credit: Tensor  # [], the discounted return beyond that of the other tasks, in units of the gain, see `credits`


class Objective(NamedTuple):
    """Scalars of one task, or means over the meta-batch."""

    gain: Tensor  # the importance-weighted advantage after adapting, to be maximised; 0 before anything moves
    score: Tensor  # the score term, to be maximised; 0 without
    divergence_before: Tensor  # KL(sampling ‖ new) summed over the policies before each inner step
    divergence_after: Tensor  # the same of the policy after the last


def credits_of(trajectories: Trajectories, signal: Signal) -> Tensor:
    """Each task's mean discounted return less the mean of the others' [M], for the score term.

    Divided as the gain is, which is a mean over steps of advantages in units of the task's own.
    """
    goes_M = signal.rewards.sum(-1).mean(-1) * signal.unit
    others_M = (goes_M.sum() - goes_M) / max(1, len(goes_M) - 1)
    steps_M = trajectories.mask.sum(-1).mean(-1)
    return (goes_M - others_M) / (signal.unit * steps_M)


def task_objective(
    learner: MamlPolicy,
    params: Params,
    stages: Sequence[Stage],
    rates: Sequence[float],
    clip: float | None = None,
) -> Objective:
    """Of one task: its stages are K + 1, with K rates. `clip` is PPO's (Schulman et al. 2017), None for none.

    The gain is the mean over the policies after every step, not the last alone: each has trajectories already, and
    a policy that is good after one step and better after three is what is wanted (Antoniou et al. 2019).
    """
    policy = learner.policy
    gain = score = before = after = stages[-1].credit * 0
    current = dict(params)
    for place, stage in enumerate(stages):
        seen, advantages = stage.trajectories, stage.signal.advantages
        if place < len(rates):
            following, now = learner.step_and_look(current, seen, stage.signal, rates[place])
        else:
            following, now = current, policy.distribution(current, seen.observations)
        apart = mean_over_steps(policy.divergence(stage.distribution, now), seen)
        log_probs = policy.log_prob(now, seen.actions) * seen.mask
        if place > 0:
            ratios = (log_probs - seen.log_probs).exp()
            gains = ratios * advantages
            if clip is not None:
                gains = torch.minimum(gains, ratios.clamp(1 - clip, 1 + clip) * advantages)
            gain = gain + mean_over_steps(gains, seen) / len(rates)
        if place < len(rates):
            before = before + apart
            if learner.spec.score_term:
                score = score + score_term(log_probs, stages[-1].credit)
        else:
            after = apart
        current = following
    return Objective(gain, score, before, after)


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

    each: Objective = torch.vmap(one, chunk_size=tasks_at_once(stages))(list(stages))
    return Objective(*(values_M.mean() for values_M in each))


def tasks_at_once(stages: Sequence[Stage]) -> int | None:
    """Of a meta-batch's, so many that a processor's caches hold a layer's activations; None is all, on a GPU."""
    mask_MRL = stages[0].trajectories.mask
    if mask_MRL.device.type != "cpu":
        return None
    return max(1, _STEPS_AT_ONCE // mask_MRL[0].numel())


def mean_over_steps(values: Tensor, trajectories: Trajectories) -> Tensor:
    """Of values [R, L] over all real steps."""
    return masked_mean(values.flatten(), trajectories.mask.flatten())
