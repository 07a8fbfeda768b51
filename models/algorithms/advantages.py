"""How much better an action was than expected: a linear baseline and GAE. Pure, batched; knows no policy.

Everything takes leading dimensions `...` and treats all R trajectories of a task together. Trajectories count as
complete: what might have followed a cut is not known, and the baseline knows the time (Duan et al. 2016, as MAML).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from models.trajectory import Trajectories

RIDGE = 1e-5
_SMALLEST = 1e-8
_TOLD = 1e-4  # spreads below this share of the returns' size are what the fit and rounding leave
_OBSERVATIONS = 10.0  # beyond which they are clipped for the baseline
_TIME_UNIT = 100.0


class Signal(NamedTuple):
    """What a policy gradient is made of, 0 in padding; both in units of the advantages' std over the task.

    Where they are all but the same, nothing is told about any action: the unit is the size of the returns then, so
    that neither a remainder of the fit nor the rewards are blown up.
    """

    rewards: Tensor  # [..., R, L], discounted from the trajectory's start
    advantages: Tensor  # [..., R, L], of mean 0 over the task
    unit: Tensor  # [...], in units of the reward


def signal_of(trajectories: Trajectories, discount: float | Tensor, gae_lambda: float | Tensor) -> Signal:
    """Standardised advantages over a baseline fitted to these trajectories, and rewards of the same unit.

    Differentiable in discount and lambda where they are scalar tensors.
    """
    mask = trajectories.mask
    rewards = trajectories.rewards * mask
    values = baseline(trajectories, discount)
    advantages = generalized_advantages(rewards, values, mask, discount, gae_lambda)
    count = mask.sum((-2, -1), keepdim=True).clamp(min=1.0)
    mean = advantages.sum((-2, -1), keepdim=True) / count
    centred = (advantages - mean) * mask
    std = _root(centred.square().sum((-2, -1), keepdim=True) / count)
    size = _root((advantages + values).square().sum((-2, -1), keepdim=True) / count)
    unit = torch.where(std > _TOLD * size, std, size) + _SMALLEST
    return Signal(rewards * _powers(discount, rewards) / unit, centred / unit, unit[..., 0, 0])


def _root(square: Tensor) -> Tensor:
    """The square root, with a derivative of 0 at 0."""
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)


def baseline(trajectories: Trajectories, discount: float | Tensor) -> Tensor:
    """Expected returns to go [..., R, L]: ridge regression on [o, o², t, t², t³, 1], t in hundreds of steps."""
    features = _features(trajectories.observations) * trajectories.mask.unsqueeze(-1)
    goes = discounted_sums(trajectories.rewards * trajectories.mask, discount)
    flat = features.flatten(-3, -2).double()
    targets = (goes * trajectories.mask).flatten(-2).double().unsqueeze(-1)
    gram = flat.mT @ flat + RIDGE * torch.eye(flat.shape[-1], dtype=flat.dtype, device=flat.device)
    weights: Tensor = torch.linalg.solve(gram, flat.mT @ targets).to(features.dtype)
    values: Tensor = features @ weights.unsqueeze(-3)
    return values.squeeze(-1)


def generalized_advantages(
    rewards: Tensor, values: Tensor, mask: Tensor, discount: float | Tensor, gae_lambda: float | Tensor
) -> Tensor:
    """GAE (Schulman et al. 2016) [..., R, L] from rewards and values that are 0 in padding."""
    following = torch.nn.functional.pad(values[..., 1:], (0, 1))
    surprises = (rewards + discount * following - values) * mask
    return discounted_sums(surprises, discount * gae_lambda) * mask


def discounted_sums(values: Tensor, discount: float | Tensor) -> Tensor:
    """At each t, the sum of discount^(k-t) values_k over k from t on; [..., L] both."""
    steps = torch.arange(values.shape[-1], device=values.device)
    ahead = steps.unsqueeze(-1) - steps  # [k, t]
    weights = _powers(discount, values)[ahead.clamp(min=0)] * (ahead >= 0)
    return values @ weights


def _powers(base: float | Tensor, like: Tensor) -> Tensor:
    """base^0 to base^(L-1) [L], for values `like` [..., L].

    By products alone: `**` has no second derivative at 0, where a discount or lambda may well be.
    """
    length = like.shape[-1]
    base = base if isinstance(base, Tensor) else like.new_full((), base)
    powers, factor = torch.ones_like(base).unsqueeze(-1), base
    while powers.shape[-1] < length:
        powers, factor = torch.cat([powers, powers * factor]), factor * factor
    return powers[:length]


def _features(observations: Tensor) -> Tensor:
    """[..., L, D] to [..., L, 2 D + 4]."""
    seen = observations.clamp(-_OBSERVATIONS, _OBSERVATIONS)
    time = torch.arange(seen.shape[-2], dtype=seen.dtype, device=seen.device) / _TIME_UNIT
    powers = torch.stack([time, time.square(), time**3, torch.ones_like(time)], -1)
    return torch.cat([seen, seen.square(), powers.expand(*seen.shape[:-1], 4)], -1)
