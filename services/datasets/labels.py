"""Labels of any plain type as names and indices into them. Knows neither files nor models."""

from typing import Any, NamedTuple

import numpy as np

from services.errors import Invalid

Array = np.ndarray[Any, Any]


class Labels(NamedTuple):
    """`names[codes[i]]` is the label of example i; every name is used. Numbers sort as numbers."""

    codes: Array  # int64 [n]
    names: tuple[str, ...]


def from_array(values: Array, what: str) -> Labels:
    """Labels from whole numbers, truth values or strings [n]; `what` names them in complaints."""
    if values.ndim != 1:
        raise Invalid(f"{what} must have one label an example, not the shape {list(values.shape)}")
    if values.dtype.kind not in "biuU":
        raise Invalid(f"{what} must be whole numbers or strings, not {values.dtype}")
    distinct, codes = np.unique(values, return_inverse=True)
    return Labels(codes.astype(np.int64), tuple(str(name) for name in distinct.tolist()))


def from_names(codes: Array, names: list[str]) -> Labels:
    """Labels from indices [n] into names, which may hold unused ones."""
    used, positions = np.unique(codes, return_inverse=True)
    present = [names[index] for index in used.tolist()]
    order = _order(present)
    rank = np.empty(len(present), dtype=np.int64)
    rank[order] = np.arange(len(present))
    return Labels(rank[positions], tuple(present[index] for index in order))


def _order(names: list[str]) -> list[int]:
    indices = range(len(names))
    try:
        return sorted(indices, key=lambda index: int(names[index]))
    except ValueError:
        return sorted(indices, key=lambda index: names[index])


def check_names(labels: Labels, what: str, max_characters: int) -> None:
    """Raise Invalid for a label that is empty, longer than `max_characters`, or no text."""
    for name in labels.names:
        if not name:
            raise Invalid(f"{what} must not be empty, and some are")
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise Invalid(f"{what} must be text, and {name[:40]!r} holds half a surrogate pair")
        if len(name) > max_characters:
            raise Invalid(f"{what} may be {max_characters} characters long; one is {name[:40]!r}…")
