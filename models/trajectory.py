"""Trajectories as tensors: what a policy is adapted from. Adds to the shape legend; knows no environment.

Beyond the legend of `models.episode` (M tasks, D observation columns):

    R  trajectories of one task      L  steps of the longest of them      A  action columns of a box

On the wire a trajectory is an episode of interaction; here `Episode` is a support and query draw. Trajectories of
different lengths share a tensor by padding: `mask` is 1 for a real step. Nothing computed for a real step may
depend on padding.
"""

from typing import NamedTuple

from torch import Tensor


class Trajectories(NamedTuple):
    """R trajectories of one task, padded to L steps; a meta-batch adds a leading M."""

    observations: Tensor  # float32 [R, L, D], what was seen before each action
    actions: (
        Tensor  # box float32 [R, L, A], as they were sampled (before any clipping); discrete int64 [R, L]
    )
    rewards: Tensor  # float32 [R, L], what followed each action; 0 in padding
    mask: Tensor  # float32 [R, L], 1 = real step; real steps come first
    terminated: Tensor  # float32 [R], 1 = the task ended it, 0 = it was cut off
    log_probs: Tensor  # float32 [R, L], of each action under the policy that sampled it; 0 where not known
    known: Tensor  # float32 [R], 1 = `log_probs` are known


def returns(trajectories: Trajectories) -> Tensor:
    """The undiscounted return of each trajectory [..., R]."""
    return (trajectories.rewards * trajectories.mask).sum(-1)
