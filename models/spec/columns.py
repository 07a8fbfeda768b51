"""What a table's columns mean to a model: numbers that are standardised, and categories sent as their index."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

MOST_CATEGORIES = 4096
"""Of one column; more are an identity, not a kind."""


class ColumnSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One column of a vector input, or one regression target, as a client sends it.

    A number becomes (value - mean) / scale, 0 where `scale` is 0: it never changed in training. With `categories`
    the value is the index of one of them, from 0, and becomes one column for each; any other value is none of
    them, and all of those columns are 0.
    """

    name: str = ""
    mean: float = 0.0
    scale: Annotated[float, Meta(ge=0.0)] = 1.0
    categories: Annotated[tuple[str, ...], Meta(max_length=MOST_CATEGORIES)] = ()

    @property
    def width(self) -> int:
        """How many columns it becomes."""
        return len(self.categories) or 1


def encoded_width(columns: Sequence[ColumnSpec]) -> int:
    """How many numbers an example becomes."""
    return sum(column.width for column in columns)
