"""A policy's support on its way to tensors: from the steps of several calls to padded trajectories, and its checks.

The counterpart of `stacking` for what is adapted from trajectories. Runs no learner.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.spec import BoxSpace, Signature
from services.engine.messages import Array, TrajectorySupport
from services.errors import Invalid


def check_trajectories(support: TrajectorySupport, signature: Signature) -> None:
    """Raises Invalid unless every array is what `TrajectorySupport` says, and fits the policy."""
    if signature.actions is None:
        raise Invalid("trajectories; this model takes labelled examples")
    episodes, steps = support.size, support.observations.shape[0]
    lengths = support.lengths.numpy()
    if len(lengths) and (lengths.min() < 1 or lengths.sum() != steps):
        raise Invalid(f"{len(lengths)} trajectories of {int(lengths.sum())} steps, and {steps} observations")
    box = isinstance(signature.actions, BoxSpace)
    action = (steps, signature.target_width) if box else (steps,)
    expected = {
        "observations": ("float32", (steps, *signature.inputs.example_shape)),
        "actions": ("float32" if box else "int64", action),
        "rewards": ("float32", (steps,)),
        "log_probs": ("float32", (steps,)),
        "known": ("float32", (episodes,)),
        "terminated": ("float32", (episodes,)),
    }
    for name, (datatype, shape) in expected.items():
        array: Array = getattr(support, name)
        width = 8 if datatype == "int64" else 4
        if (
            array.datatype != datatype
            or tuple(array.shape) != shape
            or len(array.data) != width * array.numbers
        ):
            raise Invalid(
                f"{name} are {array.datatype} {list(array.shape)}; {datatype} {list(shape)} are due"
            )
    actions = support.actions.numpy()
    if not box and steps and (actions.min() < 0 or actions.max() >= _choices(signature)):
        raise Invalid(f"an action outside 0 to {_choices(signature) - 1}")


def stack_trajectories(
    supports: Sequence[TrajectorySupport],
    signature: Signature,
    size: int,
    steps: int,
    tasks: int,
    device: torch.device,
) -> list[Tensor]:
    """The supports of M calls as the seven tensors of `Trajectories` with a leading `tasks`, zero behind M.

    `size` is R, the trajectories that each is given; `steps` is L, the steps that each trajectory is given.
    """
    zeros: list[np.ndarray[Any, Any]] = [
        np.zeros((tasks, *shape), kind) for shape, kind in _shapes(signature, size, steps)
    ]
    observations, actions, rewards, mask, terminated, log_probs, known = zeros
    for m, support in enumerate(supports):
        lengths = support.lengths.numpy()
        inside = np.arange(steps) < lengths[:, None]
        rows = len(lengths)
        mask[m, :rows] = inside
        for padded, array in (
            (observations, support.observations),
            (actions, support.actions),
            (rewards, support.rewards),
            (log_probs, support.log_probs),
        ):
            padded[m, :rows][inside] = array.numpy()
        terminated[m, :rows] = support.terminated.numpy()
        known[m, :rows] = support.known.numpy()
    return [torch.from_numpy(array).to(device) for array in zeros]


def no_tensors(signature: Signature, size: int, steps: int, device: torch.device) -> list[Tensor]:
    """The seven tensors of R = `size` trajectories of one task, all padding."""
    return [
        torch.from_numpy(np.zeros(shape, kind)).to(device) for shape, kind in _shapes(signature, size, steps)
    ]


def _shapes(signature: Signature, size: int, steps: int) -> list[tuple[tuple[int, ...], type]]:
    """Shapes and kinds of one task's `Trajectories`, in their order."""
    path = (size, steps)
    box = isinstance(signature.actions, BoxSpace)
    action = ((*path, signature.target_width), np.float32) if box else (path, np.int64)
    return [
        ((*path, *signature.inputs.example_shape), np.float32),
        action,
        (path, np.float32),
        (path, np.float32),
        ((size,), np.float32),
        (path, np.float32),
        ((size,), np.float32),
    ]


def _choices(signature: Signature) -> int:
    assert signature.actions is not None
    assert not isinstance(signature.actions, BoxSpace)
    return signature.actions.n
