"""Nested JSON lists made into arrays. Knows lists and numbers; no tensor objects, no models.

Elements are checked in bulk, by C loops over whole levels of the nesting; the place of a fault is looked for
only once there is one.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from services.errors import Invalid
from services.finite import all_finite

FloatArray = np.ndarray[Any, np.dtype[np.float32]]

MAX_RANK = 8
_FLOAT32_MOST = float(np.finfo(np.float32).max)
_JSON_NAMES = {
    bool: "true or false",
    str: "a string",
    dict: "an object",
    list: "a list",
    type(None): "null",
}


class Nested(NamedTuple):
    """Nested lists taken apart: their shape, their leaves in row-major order, and the types among those."""

    shape: tuple[int, ...]
    leaves: list[Any]
    kinds: set[type]

    def pointer(self, pointer: str, index: int) -> str:
        """Where the leaf of that flat index stands."""
        return "/".join([pointer, *map(str, np.unravel_index(index, self.shape))])

    def first_other_than(self, kinds: set[type]) -> int:
        """The flat index of the first leaf of another type."""
        return next(index for index, leaf in enumerate(self.leaves) if type(leaf) not in kinds)


def unnest(value: Any, pointer: str) -> Nested:
    """Take a rectangular nest of lists apart. Raises Invalid, with the place of the first ragged row."""
    if type(value) is not list:
        raise Invalid.at(pointer, f"{json_name(value)} where a list or a tensor object is expected")
    shape = [len(value)]
    level: list[Any] = value
    while level and type(level[0]) is list:
        width = len(level[0])
        if len(shape) == MAX_RANK:
            raise Invalid.at(pointer, f"lists nested more than {MAX_RANK} deep")
        if set(map(type, level)) != {list} or set(map(len, level)) != {width}:
            odd = next(i for i, item in enumerate(level) if type(item) is not list or len(item) != width)
            found = f"{len(level[odd])} items" if type(level[odd]) is list else json_name(level[odd])
            place = Nested(tuple(shape), level, set()).pointer(pointer, odd)
            raise Invalid.at(place, f"{found} where the first row has {width}: the lists are ragged")
        level = list(itertools.chain.from_iterable(level))
        shape.append(width)
    return Nested(tuple(shape), level, set(map(type, level)))


def numbers(nested: Nested, pointer: str) -> FloatArray:
    """The leaves as float32 in their shape. Raises Invalid at the first that is not a finite number."""
    if not nested.kinds <= {int, float}:
        odd = nested.first_other_than({int, float})
        detail = f"{json_name(nested.leaves[odd])} where a number is expected"
        raise Invalid.at(nested.pointer(pointer, odd), detail)
    leaves = nested.leaves
    if leaves and min(leaves) >= -_FLOAT32_MOST and max(leaves) <= _FLOAT32_MOST:
        narrow: FloatArray = np.array(leaves, dtype=np.float32)
        if all_finite(narrow):
            return narrow.reshape(nested.shape)
    try:
        array = np.array(leaves, dtype=np.float64)
    except OverflowError:
        odd = next(index for index, leaf in enumerate(leaves) if abs(leaf) > 1e300)
        raise Invalid.at(nested.pointer(pointer, odd), "not a finite float32 number") from None
    return float32(array.reshape(nested.shape), pointer)


def float32(array: np.ndarray[Any, Any], pointer: str) -> FloatArray:
    """Any numbers as float32. Raises Invalid at the first that is not finite there."""
    with np.errstate(over="ignore"):
        narrow: FloatArray = array.astype(np.float32)
    if not all_finite(narrow):
        finite = np.isfinite(narrow)
        odd = np.unravel_index(int(np.argmin(finite)), finite.shape)
        raise Invalid.at("/".join([pointer, *map(str, odd)]), "not a finite float32 number")
    return narrow


def element_count(shape: Sequence[int]) -> str:
    """How many elements a nest has, for a message."""
    return str(shape[0]) if len(shape) == 1 else f"shape {list(shape)}"


def json_name(value: Any) -> str:
    """What JSON calls this."""
    return _JSON_NAMES.get(type(value), "a number")
