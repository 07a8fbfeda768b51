"""Which rows of a named support set are examples, and which are the names of its classes. Knows masks alone."""

import torch
from torch import Tensor

from models.episode import SupportSet


def examples_of(support: SupportSet) -> Tensor:
    """Float32 [S], 1 for a real example: 0 for padding, and for the names that stand before the examples.

    A named support set begins with a row for each of its real classes, in the order of their slots, masked where a
    class has no words: so `class_mask` tells how many there are, however the set is padded.
    """
    places_S = torch.arange(support.mask.shape[-1], device=support.mask.device)
    return support.mask * (places_S >= support.class_mask.sum())
