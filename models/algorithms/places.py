"""A fixed number of places for the examples of a support set. Knows masks; nothing of what is kept of an example.

Adapted parameters may not depend on a support set's padding. A learner that keeps every example has as many places
for them as its spec says, whether used or not.
"""

import torch
from torch import Tensor


def order_of(mask: Tensor, places: int) -> Tensor:
    """The indices int64 [min(S, K)] of the examples for K places, the real ones first, in their order."""
    return torch.argsort(1 - mask, stable=True)[:places]


def placed(values: Tensor, mask: Tensor, order: Tensor, places: int) -> Tensor:
    """Values [K, ...] of examples [S, ...] in K places, zero where there is no real example."""
    taken = values[order] * mask[order].reshape(-1, *(1 for _ in values.shape[1:]))
    missing = taken.new_zeros(places - len(taken), *taken.shape[1:])
    return torch.cat([taken, missing])
