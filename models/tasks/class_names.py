"""The names of an episode's classes as rows before its support set's examples. Knows tensors; no text."""

import torch
from torch import Tensor

from models.episode import SupportSet


def with_names(support: SupportSet, names: Tensor, named: Tensor) -> SupportSet:
    """A named support set [M, N + S]: one row for each class slot in order, then the examples.

    `names` [M, N, X]; `named` float32 [M, N] is 0 where a class has no words, and then its row is padding.
    """
    slots_MN = torch.arange(names.shape[1], device=names.device).expand(names.shape[:2])
    return SupportSet(
        torch.cat([names, support.inputs], dim=1),
        torch.cat([slots_MN, support.targets], dim=1),
        torch.cat([named * support.class_mask, support.mask], dim=1),
        support.class_mask,
    )
