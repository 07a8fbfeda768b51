"""Nested lists of numbers: their shape, their leaves, and exactly where they are ragged. Standard library alone."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

from .errors import InvalidInput


def flatten(values: Sequence[Any], place: str) -> tuple[tuple[int, ...], list[Any]]:
    """Shape and row-major leaves of rectangular nested lists. Raises InvalidInput where they are ragged."""
    shape: tuple[int, ...] = (len(values),)
    level: list[Any] = list(values)
    while level and isinstance(level[0], list | tuple):
        width = len(level[0])
        for i, row in enumerate(level):
            if not isinstance(row, list | tuple):
                raise InvalidInput(f"{_at(place, shape, i)} is {row!r}, but {_at(place, shape, 0)} is a list")
            if len(row) != width:
                raise InvalidInput(
                    f"{_at(place, shape, i)} has length {len(row)}, but {_at(place, shape, 0)} has length {width}"
                )
        shape = (*shape, width)
        level = list(chain.from_iterable(level))
    return shape, level


def numbers(leaves: list[Any], shape: tuple[int, ...], place: str) -> list[int | float]:
    """The leaves as Python numbers: booleans as 0.0 and 1.0, numpy and torch scalars unwrapped.

    Raises InvalidInput for NaN, infinity, and what is no number.
    """
    kinds = set(map(type, leaves))
    if not kinds <= {int, float}:
        leaves = [_number(leaf, shape, i, place) for i, leaf in enumerate(leaves)]
        kinds = set(map(type, leaves))
    if float in kinds and not all(map(math.isfinite, leaves)):
        i = next(i for i, leaf in enumerate(leaves) if not math.isfinite(leaf))
        raise InvalidInput(f"{_at(place, shape, i)} is {leaves[i]}: tensors hold finite numbers")
    return leaves


def rebuild(leaves: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Nested lists of a shape from row-major leaves."""
    if len(shape) == 1:
        return leaves
    step = math.prod(shape[1:])
    return [rebuild(leaves[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def _number(leaf: Any, shape: tuple[int, ...], index: int, place: str) -> int | float:
    scalar = hasattr(leaf, "item") and getattr(leaf, "ndim", 0) == 0
    item = leaf.item() if scalar else leaf
    if isinstance(item, bool):
        return float(item)
    if isinstance(item, int):
        return int(item)
    if isinstance(item, float):
        return float(item)
    if isinstance(item, list | tuple):
        raise InvalidInput(f"{_at(place, shape, index)} is a list, but {_at(place, shape, 0)} is a number")
    kinds = ", and a kind is sent as its index in `signature.columns`" if isinstance(item, str) else ""
    raise InvalidInput(f"{_at(place, shape, index)} is {type(leaf).__name__}: tensors hold numbers{kinds}")


def _at(place: str, shape: tuple[int, ...], flat: int) -> str:
    """`inputs[2][0]` for the flat index among the elements of a level."""
    indices: list[int] = []
    for width in reversed(shape):
        flat, index = divmod(flat, width)
        indices.append(index)
    return place + "".join(f"[{index}]" for index in reversed(indices))
