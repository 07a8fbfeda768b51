"""What a table's columns are standardised by. Knows columns and their values; not whose rows they are."""

from collections.abc import Sequence

import msgspec
from torch import Tensor

from models.spec import ColumnSpec


def measured(columns: Sequence[ColumnSpec], values: Tensor) -> tuple[ColumnSpec, ...]:
    """The columns with mean and scale of their values [n, D]; a category of which there is one kind has scale 0."""
    means, scales = values.double().mean(0).tolist(), values.double().std(0, correction=0).tolist()
    lows, highs = values.min(0).values.tolist(), values.max(0).values.tolist()
    return tuple(
        msgspec.structs.replace(column, scale=0.0 if low == high else 1.0)
        if column.categories
        else msgspec.structs.replace(column, mean=mean, scale=0.0 if low == high else scale)
        for column, mean, scale, low, high in zip(columns, means, scales, lows, highs, strict=True)
    )
