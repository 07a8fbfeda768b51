"""What each column of a small table tells of the target, by itself. Knows columns and channels; no rows to predict.

Written for any leading dimensions. S labelled rows, D columns, N channels: class slots, or the one number.
"""

import torch
from torch import Tensor

from models.algorithms.table_columns import Columns
from models.algorithms.table_heads import Rows

# How near two places have to be, for one row's target to be told from the other's.
_REACHES = (0.1, 0.35)

COUNT = 14
"""The numbers that `relevance` gives for a column."""


def relevance(rows: Rows, columns: Columns, gaps: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Numbers [..., D, COUNT] of every column; of one that is not present they mean nothing.

    `gaps` [..., S, D] is 1 for a missing value; `targets` [..., S, N] one-hot, or standardised; `mask` [..., S].
    """
    real = mask.unsqueeze(-1)
    count = mask.sum(-1, keepdim=True).clamp(min=1.0)  # [..., 1]
    centred = (targets - _mean(targets, real, count)) * real
    size, place, square = (
        (values - _mean(values, real, count)) * real
        for values in (rows.size, rows.place, rows.place.square())
    )
    mass = (targets.square() * real).sum(-2).clamp(min=1e-6)
    explained = torch.stack([_explained(values, centred, mass) for values in (size, place, square)], dim=-1)
    alone = torch.stack([_left_out(rows.place, centred, mask, reach) for reach in _REACHES], dim=-1)
    knots = columns.knots
    width = columns.present.sum(-1, keepdim=True).clamp(min=1.0)
    ways = ((targets * real).abs().sum(-2) > 0).to(mask.dtype).sum(-1, keepdim=True)
    own = [
        (gaps * real).sum(-2) / count,
        (knots.diff(dim=-1) <= 1e-6).to(knots.dtype).mean(-1),  # how many rows share a value
        torch.log1p(knots.abs().amax(-1)),
    ]
    shared = [part.expand_as(own[0]) for part in (count.log() - 3.0, width.log() - 2.0, ways / 10)]
    by_count = torch.log1p(explained * count.unsqueeze(-1))
    return torch.cat([explained, by_count, alone, torch.stack(own + shared, dim=-1)], dim=-1)


def _mean(values: Tensor, real: Tensor, count: Tensor) -> Tensor:
    return (values * real).sum(-2, keepdim=True) / count.unsqueeze(-1)


def _explained(values: Tensor, targets: Tensor, mass: Tensor) -> Tensor:
    """The share [..., D] of centred values' variance that lies between classes; the squared correlation."""
    both = values.transpose(-1, -2) @ targets
    return (both.square() / mass.unsqueeze(-2)).sum(-1) / values.square().sum(-2).clamp(min=1e-6)


def _left_out(place: Tensor, targets: Tensor, mask: Tensor, reach: float) -> Tensor:
    """The share [..., D] of centred targets' squares that rows near in one column explain of a row left out."""
    rows = place.shape[-2]
    values = place.transpose(-1, -2)  # [..., D, S]
    near = torch.exp(-(values.unsqueeze(-1) - values.unsqueeze(-2)).abs() / reach)
    others = 1 - torch.eye(rows, dtype=place.dtype, device=place.device)
    near = near * others * mask[..., None, None, :]
    guess = near @ targets.unsqueeze(-3) / (near.sum(-1, keepdim=True) + 0.1)  # [..., D, S, N]
    wrong = (guess - targets.unsqueeze(-3)) * mask[..., None, :, None]
    total = targets.square().sum((-2, -1)).clamp(min=1e-6).unsqueeze(-1)
    return (1 - wrong.square().sum((-2, -1)) / total).clamp(min=-1.0)
