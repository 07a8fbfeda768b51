"""Which labelled rows are kept, where only so many can be. Knows masks and classes; nothing of what a row is.

Written for any leading dimensions. S labelled rows, of which C are kept.
"""

import torch
from torch import Tensor

from models.episode import SupportSet
from models.functional import one_hot


def chosen_rows(support: SupportSet, most: int, max_ways: int | None) -> tuple[Tensor, Tensor]:
    """Which C = `most` labelled rows are kept, int64 [..., C], and a mask [..., C] of those that are real.

    All, if there are no more; else as many of each class as there are, or without `max_ways` evenly from first to
    last.
    """
    mask, size = support.mask, support.mask.shape[-1]
    if max_ways is not None:
        labels = one_hot(support.targets, mask, max_ways)
        turn = ((labels.cumsum(-2) - 1) * labels).sum(-1)
        order = (turn + (1 - mask) * (size + 1)).argsort(dim=-1, stable=True)[..., :most]
    else:
        count = mask.sum(-1, keepdim=True)
        places = torch.arange(min(most, size), device=mask.device) * (count / most).clamp(min=1.0)
        real_first = (1 - mask).argsort(dim=-1, stable=True)
        order = torch.take_along_dim(real_first, places.long().clamp(max=size - 1), dim=-1)
    kept = torch.take_along_dim(mask, order, dim=-1)
    missing = most - order.shape[-1]
    if missing <= 0:
        return order, kept
    pad = torch.nn.functional.pad
    return pad(order, (0, missing)), pad(kept, (0, missing))


def only_rows(support: SupportSet, chosen: tuple[Tensor, Tensor]) -> SupportSet:
    """The support set [C] of the chosen rows; where they are not real, padding."""
    order, kept = chosen
    inputs = torch.take_along_dim(support.inputs, order.unsqueeze(-1), dim=-2)
    numbers = support.targets.ndim == support.inputs.ndim
    targets = torch.take_along_dim(
        support.targets, order.unsqueeze(-1) if numbers else order, dim=order.ndim - 1
    )
    return SupportSet(inputs, targets, kept, support.class_mask)
