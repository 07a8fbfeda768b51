"""What a column of a table is made of before a network sees it. Knows values and masks; nothing of tokens.

Written for any leading dimensions; S labelled rows, E rows of any kind, D columns.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

# Values beyond are taken for this: sums and squares of them have to fit float32.
_LARGEST = 1e30
_LEAST_SPAN = 1e-30

# In deviations; beyond, a value counts by its logarithm.
_FAR = 3.0

# A column's quantiles that are kept, its least and its largest value among them.
KNOTS = 9

# The waves by which a value's place among the labelled ones is told.
_WAVES = 3

FEATURES = 3 + 2 * _WAVES
"""The numbers that `features` gives for a value."""


class Columns(NamedTuple):
    """What the labelled rows say about every column, all float32."""

    centre: Tensor  # [..., D] the mean
    scale: Tensor  # [..., D] the standard deviation; 1 for a column that is not present
    present: Tensor  # [..., D] 1 where two values differ: a constant says nothing and counts as absent
    knots: Tensor  # [..., D, KNOTS] quantiles, in deviations from the mean

    @classmethod
    def named(cls, params: Mapping[str, Tensor], prefix: str) -> "Columns":
        """The ones that `by_name` gave names."""
        return cls(*(params[prefix + field] for field in cls._fields))

    def by_name(self, prefix: str) -> dict[str, Tensor]:
        return {prefix + field: value for field, value in self._asdict().items()}


def describe(values: Tensor, mask: Tensor) -> Columns:
    """Columns of values [..., S, D], NaN where one is missing, over the rows where `mask` [..., S] is 1."""
    missing = values.isnan() | (mask == 0).unsqueeze(-1)
    seen = (~missing).to(values.dtype)
    count = seen.sum(-2)
    values = _bounded(values)
    low = values.masked_fill(missing, _LARGEST).amin(-2)
    span = (values.masked_fill(missing, -_LARGEST).amax(-2) - low).clamp(min=0.0)
    present = span > _LEAST_SPAN
    span = span.where(present, torch.ones_like(span))
    low = low.where(count > 0, torch.zeros_like(low))
    # In shares of the span: far from 0, or far apart, the values' own squares would lose digits or overflow.
    share = ((values - low.unsqueeze(-2)) / span.unsqueeze(-2)).masked_fill(missing, 0.0)
    mean = share.sum(-2) / count.clamp(min=1.0)
    deviation = (((share - mean.unsqueeze(-2)) * seen).square().sum(-2) / count.clamp(min=1.0)).sqrt()
    scale = (deviation * span).where(present, torch.ones_like(span))
    centre = low + mean * span
    ordered = values.masked_fill(missing, 2 * _LARGEST).sort(dim=-2).values
    knots = (_quantiles(ordered, count) - centre.unsqueeze(-1)) / scale.unsqueeze(-1)
    known = present.unsqueeze(-1)
    return Columns(centre, scale, present.to(values.dtype), knots.where(known, torch.zeros_like(knots)))


def standardise(values: Tensor, columns: Columns) -> Tensor:
    """Values [..., E, D] in deviations from the column's mean; NaN stays NaN."""
    return (_bounded(values) - columns.centre.unsqueeze(-2)) / columns.scale.unsqueeze(-2)


def features(deviations: Tensor, columns: Columns) -> Tensor:
    """Numbers [..., E, D, FEATURES] for standardised values [..., E, D]: size, place, and whether it is missing.

    The size has outliers drawn in; the place is the share of the labelled values below, and waves of it.
    """
    missing = deviations.isnan()
    drawn_in, place = size_and_place(deviations, columns)
    waves = [wave(math.pi * (k + 1) * place) for k in range(_WAVES) for wave in (torch.sin, torch.cos)]
    present = (~missing).to(deviations.dtype)
    return torch.stack([*(part * present for part in (drawn_in, place, *waves)), 1 - present], dim=-1)


def size_and_place(deviations: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
    """Standardised values [..., E, D] with outliers drawn in, and places from -1 to 1 among the labelled ones.

    Of a missing value both are those of the mean.
    """
    deviations = deviations.nan_to_num(nan=0.0)
    size = deviations.abs()
    drawn_in = deviations.sign() * size.where(size < _FAR, _FAR + torch.log1p((size - _FAR).clamp(min=0.0)))
    return drawn_in, 2 * _share_below(deviations, columns.knots) - 1


def _bounded(values: Tensor) -> Tensor:
    return values.clamp(-_LARGEST, _LARGEST)


def _quantiles(ordered: Tensor, count: Tensor) -> Tensor:
    """[..., D, KNOTS] of columns [..., S, D] whose first `count` [..., D] values are sorted, the others large."""
    levels = torch.linspace(0.0, 1.0, KNOTS, device=ordered.device)
    places = levels * (count - 1).clamp(min=0.0).unsqueeze(-1)
    below = places.floor()
    above = torch.minimum(below + 1, (count - 1).clamp(min=0.0).unsqueeze(-1))
    columns = ordered.transpose(-1, -2)
    first = torch.take_along_dim(columns, below.long(), dim=-1)
    second = torch.take_along_dim(columns, above.long(), dim=-1)
    return torch.lerp(first, second, places - below)


def _share_below(deviations: Tensor, knots: Tensor) -> Tensor:
    """Where values [..., E, D] lie among knots [..., D, KNOTS], from 0 to 1; of a heap of equals its middle."""
    low, high = knots[..., :-1].unsqueeze(-3), knots[..., 1:].unsqueeze(-3)
    value = deviations.unsqueeze(-1)
    gap = high - low
    slope = ((value - low) / gap.where(gap > 0, torch.ones_like(gap))).clamp(0.0, 1.0)
    step = 0.5 * ((value > low).to(gap.dtype) + (value >= low).to(gap.dtype))
    return slope.where(gap > 0, step).mean(-1)
